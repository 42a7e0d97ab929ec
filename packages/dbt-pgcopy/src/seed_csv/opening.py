"""Opening a file: what is no text at all is told apart, and any other encoding becomes UTF-8."""

import codecs
import hashlib
import io
import os
import stat
from pathlib import Path

from seed_csv.errors import SeedFileError

SAVE_AS = 'save it as "CSV UTF-8 (comma delimited)" and try again'

_BLOCK = 1 << 16
_UTF_32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)  # the one begins with UTF-16's
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_NO_TEXT = {
    b"PK\x03\x04": "a ZIP archive, as an Excel workbook (.xlsx) is",
    b"\xd0\xcf\x11\xe0": "an Excel workbook that is old (.xls) or has a password",
    b"\x1f\x8b": "compressed (gzip)",
    b"%PDF": "a PDF document",
}


def open_as_utf8(path: Path, name: str, encoding: str) -> io.BufferedReader:
    """Open a file that is in UTF-8, in UTF-16 with a byte order mark, or else in `encoding`.

    Raises:
        SeedFileError: it cannot be opened, or is no text.
    """
    file = _open(path, name)
    try:
        found = _encoding(file, name, encoding)
    except BaseException:
        file.close()
        raise
    return file if found == "utf-8" else io.BufferedReader(Recoded(file, name, found), _BLOCK)


def _encoding(file: io.BufferedReader, name: str, otherwise: str) -> str:
    begin = file.read(1 << 12)
    file.seek(0)
    kind = next((kind for mark, kind in _NO_TEXT.items() if begin.startswith(mark)), None)
    if kind:
        raise SeedFileError(name, f"this is {kind}, no CSV file; open it and {SAVE_AS}")
    if begin.startswith(_UTF_32):
        raise SeedFileError(name, f"this is UTF-32 text, not UTF-8; {SAVE_AS}")
    if begin.startswith(_UTF_16):
        return "utf-16"
    if begin.startswith(codecs.BOM_UTF8):
        return "utf-8"
    found = codecs.lookup(otherwise).name
    if found == "utf-8" and _every_other_byte_is_nul(begin):
        raise SeedFileError(
            name, f"this is UTF-16 text without a byte order mark, not UTF-8; {SAVE_AS}"
        )
    return found


class Recoded(io.RawIOBase):
    """A file in another encoding as if it were in UTF-8.

    Attributes:
        encoding: the one it is in.

    Raises:
        SeedFileError: while it is read, at bytes that are none of that encoding.
    """

    def __init__(self, file: io.BufferedReader, name: str, encoding: str) -> None:
        self._file, self._name, self.encoding = file, name, encoding
        self._position, self._line, self._ready, self._is_at_end = 0, 1, b"", False
        self._rewind()

    @property
    def sha256(self) -> str:
        """Of the file as it is, once all of it has been read."""
        return self._digest.hexdigest()

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is, slowly."""
        return True

    def close(self) -> None:
        """Close the file, too."""
        self._file.close()
        super().close()

    def tell(self) -> int:
        """The place in the UTF-8."""
        return self._position

    def seek(self, position: int, _whence: int = os.SEEK_SET) -> int:
        """Go to a place in the UTF-8; how far that is, only reading from the beginning tells."""
        if position < self._position:
            self._rewind()
        while self._position < position and self.read(min(_BLOCK, position - self._position)):
            pass
        return self._position

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        """Fill the buffer with what is ready, in UTF-8; 0 at the end."""
        while not self._ready and not self._is_at_end:
            self._decode(self._file.read(_BLOCK))
        count = min(len(buffer), len(self._ready))
        buffer[:count], self._ready = self._ready[:count], self._ready[count:]
        self._position += count
        return count

    def _rewind(self) -> None:
        self._file.seek(0)
        self._digest = hashlib.sha256()
        self._decoder = codecs.getincrementaldecoder(self.encoding)()
        self._ready, self._position, self._line, self._is_at_end = b"", 0, 1, False

    def _decode(self, block: bytes) -> None:
        self._is_at_end = not block
        self._digest.update(block)
        try:
            text = self._decoder.decode(block, final=self._is_at_end)
        except UnicodeDecodeError as error:
            before = error.object[: error.start].decode(self.encoding, errors="replace")
            line = self._line + before.count("\n")
            message = f"byte 0x{error.object[error.start]:02X} is not {self.encoding} text"
            raise SeedFileError(self._name, f"{message}; {SAVE_AS}", line) from error
        self._line += text.count("\n")
        self._ready = text.encode()


def _every_other_byte_is_nul(data: bytes) -> bool:
    begin = data[:64]
    half = len(begin) // 2
    return half > 1 and (begin[::2].count(0) == half) != (begin[1::2].count(0) == half)


def _open(path: Path, name: str) -> io.BufferedReader:
    try:
        # A named pipe would be waited for without end; a folder opens on some systems.
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116
            raise SeedFileError(name, f"{path} is a folder or a device, not a file")
        return path.open("rb")
    except FileNotFoundError as error:
        raise SeedFileError(name, f"there is no such file in {absence(path)}") from error
    except OSError as error:
        raise SeedFileError(name, f"the file cannot be read: {error.strerror}") from error


def absence(path: Path) -> str:
    """The folder that a file is missing from, and what stands there under almost its name."""
    folder = path.absolute().parent
    if path.is_symlink():
        return f"{folder}, but a link to {path.readlink()}, which is not there"
    try:
        names = sorted(other.name for other in folder.iterdir())
    except OSError:
        return str(folder)
    wanted = path.name.casefold()
    similar = [name for name in names if name.casefold() in (wanted, f"{wanted}.txt")]
    return f"{folder}, but there is a {similar[0]}: rename it" if similar else str(folder)
