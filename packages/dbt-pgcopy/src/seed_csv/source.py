"""The bytes of a file: opened, told apart from what is no CSV in UTF-8, cut into whole lines."""

import codecs
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from seed_csv.errors import SeedFileError

CHUNK_SIZE = 1 << 18
MAX_LINE = 1 << 20  # a longer line is no record, and reading on would fill the memory

_SAVE_AS = 'save it as "CSV UTF-8 (comma delimited)" and try again'
_NUL = "a NUL byte (0x00), which no text has; the file may be damaged or no CSV at all"
_OTHER_ENCODINGS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


class Chunk(NamedTuple):
    """Whole lines of a file, and the number of the first of them."""

    data: bytes
    line: int

    def lines(self, report: Callable[[int, str], None]) -> "Iterator[str]":
        """The lines as text, without their line feed; one that is no text is reported and mended.

        Args:
            report: told of each problem, by line and message.
        """
        data = self.data.removesuffix(b"\n")
        if is_text(data):
            yield from data.decode().split("\n")
            return
        for number, line in enumerate(data.split(b"\n"), self.line):
            try:
                text = line.decode()
            except UnicodeDecodeError as error:
                report(number, _describe_bad_byte(error))
                text = line.decode(errors="replace")
            if "\0" in text:
                report(number, _NUL)
            yield text

    def divide(self, size: int = 1 << 13) -> "Iterator[Chunk]":
        """The same lines in pieces of about `size` bytes."""
        begin, line = 0, self.line
        while begin < len(self.data):
            end = self.data.find(b"\n", begin + size) + 1 or len(self.data)
            yield Chunk(self.data[begin:end], line)
            line += self.data.count(b"\n", begin, end)
            begin = end


class Source:
    """A file opened once, read line by line for its header and in chunks for its records."""

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self._file = _open(path, name)
        try:
            self._refuse_other_encodings()
        except SeedFileError:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def header_lines(self) -> Iterator[Chunk]:
        """The lines of the file one by one; `chunks` goes on after the last one taken."""
        self._file.seek(self._start)
        line = 0
        while data := self._file.readline(MAX_LINE + 1):
            line += 1
            self._refuse_long_line(data, line)
            yield Chunk(data, line)

    def chunks(self, line: int, size: int = CHUNK_SIZE) -> Iterator[Chunk]:
        """What follows, in pieces of about `size` bytes that end where a line ends.

        Args:
            line: number of the line that comes next.
            size: bytes to read at once.
        """
        self._digest = self._digest_so_far()
        rest = b""
        while block := self._file.read(size):
            self._digest.update(block)
            data = rest + block
            end = data.rfind(b"\n") + 1
            rest = data[end:]
            if end:
                yield Chunk(data[:end], line)
                line += data.count(b"\n", 0, end)
            self._refuse_long_line(rest, line)
        if rest:
            yield Chunk(rest, line)

    @property
    def sha256(self) -> str:
        """Of the whole file, once `chunks` has come to its end."""
        return self._digest.hexdigest()

    def _digest_so_far(self) -> "hashlib._Hash":
        position = self._file.tell()
        self._file.seek(0)
        return hashlib.sha256(self._file.read(position))

    def tell(self) -> int:
        """The place of the next byte that is read."""
        return self._file.tell()

    def seek(self, position: int) -> None:
        """Go on reading from there."""
        self._file.seek(position)

    def _refuse_other_encodings(self) -> None:
        begin = self._file.read(1 << 12)
        self._start = len(codecs.BOM_UTF8) if begin.startswith(codecs.BOM_UTF8) else 0
        encoding = next((name for mark, name in _OTHER_ENCODINGS if begin.startswith(mark)), None)
        if encoding is None and _every_other_byte_is_nul(begin):
            encoding = "UTF-16"
        if encoding:
            raise SeedFileError(self.name, f"this is {encoding} text, not UTF-8; {_SAVE_AS}")

    def _refuse_long_line(self, data: bytes, line: int) -> None:
        if len(data) <= MAX_LINE:
            return
        if b"\r" in data:
            raise lone_carriage_returns(self.name)
        raise SeedFileError(self.name, "the line is over 1 MiB long; is this a CSV file?", line)


def lone_carriage_returns(name: str) -> SeedFileError:
    """The error for a file whose lines end as on the first Macintosh."""
    return SeedFileError(
        name, f"its lines end in a carriage return only, as on an old Macintosh; {_SAVE_AS}"
    )


def _describe_bad_byte(error: UnicodeDecodeError) -> str:
    before = error.object[max(0, error.start - 20) : error.start].decode(errors="replace")
    after = error.object[error.start : error.start + 10].decode("cp1252", errors="replace")
    near = (before + after).strip().splitlines()[0]
    return (
        f"byte 0x{error.object[error.start]:02X} is not UTF-8 text; the file looks like Latin-1 or "
        f"Windows-1252, where it would read “{near}”; {_SAVE_AS}"
    )


def is_text(chunk: bytes) -> bool:
    """Whether bytes are UTF-8 without a NUL."""
    if b"\0" in chunk:
        return False
    try:
        return chunk.isascii() or chunk.decode() is not None
    except UnicodeDecodeError:
        return False


def _every_other_byte_is_nul(data: bytes) -> bool:
    begin = data[:64]
    half = len(begin) // 2
    return half > 1 and half in (begin[::2].count(0), begin[1::2].count(0))


def _open(path: Path, name: str) -> BinaryIO:
    try:
        # A named pipe would be waited for without end; a folder opens on some systems.
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116
            raise SeedFileError(name, f"{path} is a folder or a device, not a file")
        return path.open("rb")
    except FileNotFoundError as error:
        raise SeedFileError(name, f"there is no such file in {path.absolute().parent}") from error
    except OSError as error:
        raise SeedFileError(name, f"the file cannot be read: {error.strerror}") from error
