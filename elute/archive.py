"""A zip file that is sent as it comes."""

from collections.abc import Generator, Iterator
from contextlib import closing
from datetime import datetime, timezone
from hashlib import sha256
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

Blocks = Generator[bytes, None, None]


class Archive:
    """The file, and the size and SHA-256 of each entry that was added.

    Args:
        moment: the time of its entries, so that it is the same each time.
        is_large: whether an entry may have 4 GiB; not everything reads such an archive.
    """

    def __init__(self, moment: datetime, *, is_large: bool = True) -> None:
        self.added: dict[str, tuple[int, str]] = {}
        self._moment, self._is_large = moment.astimezone(timezone.utc).timetuple()[:6], is_large
        self._written = b""
        self._file = ZipFile(self, "w")  # type: ignore[call-overload]

    def write(self, data: bytes) -> int:
        """What ZipFile calls. Without `tell` it writes what can be sent as it comes."""
        self._written += data
        return len(data)

    def flush(self) -> None:
        """What ZipFile calls."""

    def add(self, path: str, blocks: Blocks) -> Iterator[bytes]:
        """Add a file; what can be sent by now."""
        entry = ZipInfo(path, self._moment)
        entry.compress_type = ZIP_DEFLATED
        size, digest = 0, sha256()
        with closing(blocks), self._file.open(entry, "w", force_zip64=self._is_large) as file:
            for block in blocks:
                file.write(block)
                digest.update(block)
                size += len(block)
                yield self._taken()
        self.added[path] = size, digest.hexdigest()

    def add_text(self, path: str, text: str) -> Iterator[bytes]:
        """Add a file with this text."""
        return self.add(path, (part for part in (text.encode(),)))

    def end(self) -> bytes:
        """What is left to be sent."""
        self._file.close()
        return self._taken()

    def _taken(self) -> bytes:
        written, self._written = self._written, b""
        return written
