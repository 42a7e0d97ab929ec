"""The bytes of a file in UTF-8: cut into whole lines, and told apart from what is no text."""

import codecs
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from seed_csv.errors import SeedFileError
from seed_csv.opening import SAVE_AS, Recoded, open_as_utf8

CHUNK_SIZE = 1 << 18
MAX_LINE = 1 << 20  # a longer line is no record, and reading on would fill the memory

# As on the first Macintosh.
LONE_CARRIAGE_RETURNS = (
    f"its lines end in a carriage return only, as on an old Macintosh; {SAVE_AS}"
)
_CTRL_Z = b"\x1a"  # the end of a text on DOS
_NUL = "a NUL byte (0x00), which no text has; the file may be damaged or no CSV at all"


class Chunk(NamedTuple):
    """Whole lines of a file, and the number of the first of them.

    What does not end with a line feed is one line, the last one of a file that breaks off there.
    """

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
    """A file opened once, read line by line for its header and in chunks for its records.

    Args:
        path: the file.
        name: what to call it in messages.
        encoding: of a file that has no byte order mark.
    """

    def __init__(self, path: Path, name: str, encoding: str = "utf-8") -> None:
        self.name = name
        self._file = open_as_utf8(path, name, encoding)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def header_lines(self) -> Iterator[Chunk]:
        """The lines of the file one by one."""
        self._file.seek(0)
        line = 0
        while data := self._file.readline(MAX_LINE + 1):
            line += 1
            self._refuse_long_line(data, line)
            while line == 1 and data.startswith(codecs.BOM_UTF8):
                data = data.removeprefix(codecs.BOM_UTF8)
            yield Chunk(data.rstrip(_CTRL_Z), line)

    def chunks(self, begin: int, line: int, size: int = CHUNK_SIZE) -> Iterator[Chunk]:
        """What follows the header, in pieces of about `size` bytes that end where a line ends.

        Args:
            begin: the place of the byte after the header.
            line: number of the line that is there.
            size: bytes to read at once.
        """
        self._file.seek(0)
        self._digest = hashlib.sha256(self._file.read(begin))
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
        if rest.endswith(_CTRL_Z):
            rest = rest.rstrip(_CTRL_Z) + b"\n"
        if rest:
            yield Chunk(rest, line)

    @property
    def sha256(self) -> str:
        """Of the whole file, once `chunks` has come to its end."""
        raw = self._file.raw
        return raw.sha256 if isinstance(raw, Recoded) else self._digest.hexdigest()

    def tell(self) -> int:
        """The place of the next byte that is read."""
        return self._file.tell()

    def refuse(self, line: int, message: str) -> None:
        """Raise a SeedFileError for a line."""
        raise SeedFileError(self.name, message, line)

    def _refuse_long_line(self, data: bytes, line: int) -> None:
        if len(data) <= MAX_LINE:
            return
        if b"\r" in data:
            raise SeedFileError(self.name, LONE_CARRIAGE_RETURNS)
        self.refuse(line, "the line is over 1 MiB long; is this a CSV file?")


def _describe_bad_byte(error: UnicodeDecodeError) -> str:
    before = error.object[max(0, error.start - 20) : error.start].decode(errors="replace")
    after = error.object[error.start : error.start + 10].decode("cp1252", errors="replace")
    near = (before + after).strip(" \t\r\n")
    return (
        f"byte 0x{error.object[error.start]:02X} is not UTF-8 text; the file looks like Latin-1 or "
        f"Windows-1252, where it would read “{near}”; {SAVE_AS}"
    )


def is_text(chunk: bytes) -> bool:
    """Whether bytes are UTF-8 without a NUL."""
    if b"\0" in chunk:
        return False
    try:
        return chunk.isascii() or chunk.decode() is not None
    except UnicodeDecodeError:
        return False
