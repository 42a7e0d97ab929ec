"""The files that builds were made from, each kept once, by its SHA-256."""

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dbt.adapters.events.logging import AdapterLogger

_KEPT = re.compile("[0-9a-f]{64}")
_BEGINNING, _UNFINISHED = "pgcopy-", ".unfinished"
_STALE_SECONDS = 24 * 60 * 60

logger = AdapterLogger("Pgcopy")


class Copy:
    """A copy to read in the place of a file, so that what is kept is what was read.

    Attributes:
        path: of the copy; of the file itself if it could not be copied.
    """

    def __init__(self, path: Path, folder: Path) -> None:
        self.path, self._folder, self._is_copy = path, folder, False
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            number, name = tempfile.mkstemp(_UNFINISHED, _BEGINNING, folder)  # of mode 0600
            os.close(number)
            self.path, self._is_copy = Path(name), True
            shutil.copyfile(path, name)
        except OSError as error:
            logger.warning(f"{path.name} is not kept: {error.strerror}.")
            self.drop()
            self.path = path

    def keep(self, sha256: str) -> None:
        """Keep it."""
        if self._is_copy:
            self.path.replace(self._folder / sha256)
            self._is_copy = False

    def drop(self) -> None:
        """Remove it, unless it was kept."""
        if self._is_copy:
            self.path.unlink(missing_ok=True)
            self._is_copy = False


@contextmanager
def copied(path: Path, folder: Path) -> Iterator[Copy]:
    """A copy of a file in a folder, which is gone afterwards unless it was kept."""
    copy = Copy(path, folder)
    try:
        yield copy
    finally:
        copy.drop()


def forget_files(folder: Path, wanted: Iterable[str], most_bytes: int) -> None:
    """Remove all files but the first of those wanted that are no larger together than that.

    Args:
        folder: where they are kept.
        wanted: SHA-256 of each, the most wanted first.
        most_bytes: how large they may be together.
    """
    kept, total = set(), 0
    for name in dict.fromkeys(wanted):
        with suppress(FileNotFoundError):
            total += (folder / name).stat().st_size
            if total > most_bytes:
                break
            kept.add(name)
    for path in folder.iterdir():
        if _KEPT.fullmatch(path.name) and path.name not in kept:
            path.unlink(missing_ok=True)
    oldest = time.time() - _STALE_SECONDS
    for path in folder.glob(f"{_BEGINNING}*{_UNFINISHED}"):  # of builds that were killed
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < oldest:
                path.unlink()
