"""The files that builds were made from, each kept once, by its SHA-256."""

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from dbt.adapters.events.logging import AdapterLogger

_KEPT = re.compile("[0-9a-f]{64}")
_BEGINNING, _UNFINISHED = "pgcopy-", ".unfinished"
_STALE_SECONDS = 24 * 60 * 60

logger = AdapterLogger("Pgcopy")


class KeptFiles:
    """The files of one run: copies to read in their place, so that what is kept is what was read.

    That a file cannot be kept fails nothing.
    """

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._copies: list[Path] = []
        self._digests: dict[Path, str] = {}

    def copy(self, path: Path, folder: Path | None) -> Path:
        """A copy of a file; the file itself if there is no folder to keep it in."""
        if folder is None:
            return path
        self._folder = folder
        try:
            copy = _copy(path, folder)
        except OSError as error:
            logger.warning(f"{path.name} is not kept: {error.strerror}.")
            return path
        self._copies.append(copy)
        return copy

    def note(self, copy: Path, sha256: str) -> None:
        """All of it was read, and has this SHA-256."""
        self._digests[copy] = sha256

    def keep(self) -> None:
        """Keep what was read."""
        try:
            for copy in set(self._copies) & self._digests.keys():
                copy.replace(copy.with_name(self._digests[copy]))
        except OSError as error:
            logger.warning(f"The files of this build are not kept: {error}")

    def drop(self) -> None:
        """Remove what was not kept."""
        while self._copies:
            with suppress(OSError):  # Kept, or out of reach.
                self._copies.pop().unlink()

    def forget(self, wanted: Iterable[str], most_bytes: int) -> None:
        """Remove all but the first of those wanted, and then the others, that have room.

        The others may be of builds in another database.

        Args:
            wanted: SHA-256 of each, the most wanted first.
            most_bytes: how large they may be together.
        """
        if self._folder and self._folder.is_dir():
            forget_files(self._folder, wanted, most_bytes)


def _copy(path: Path, folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(_UNFINISHED, _BEGINNING, folder)  # of mode 0600
    os.close(number)
    try:
        shutil.copyfile(path, name)
    except OSError:  # The disk may be full.
        Path(name).unlink()
        raise
    return Path(name)


def forget_files(folder: Path, wanted: Iterable[str], most_bytes: int) -> None:
    """The same, of a folder, in which other files may be."""
    rank = {name: number for number, name in enumerate(dict.fromkeys(wanted))}
    kept = []
    for path in folder.iterdir():
        if _KEPT.fullmatch(path.name):
            with suppress(FileNotFoundError):  # Another build has just removed it.
                kept.append((path, path.stat()))
    kept.sort(key=lambda each: (rank.get(each[0].name, len(rank)), -each[1].st_mtime))
    total = 0
    for path, status in kept:
        total += status.st_size
        if total > most_bytes:
            path.unlink(missing_ok=True)
    oldest = time.time() - _STALE_SECONDS
    for path in folder.glob(f"{_BEGINNING}*{_UNFINISHED}"):  # of builds that were killed
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < oldest:
                path.unlink()
