"""When files have changed and settled."""

import contextlib
import os
from collections.abc import Collection, Mapping
from pathlib import Path

SETTLED_AFTER = 2.0  # seconds without a change, of a file that changed at once and ends with a line
# Of one that was seen growing, or ends in the middle of a line. A copy over a network may stall,
# and the time that it has taken so far tells for how long to wait.
LEAST_PATIENCE, MOST_PATIENCE = 10.0, 60.0
Signature = Mapping[str, list[int] | None]


def files_signature(folder: Path, names: tuple[str, ...]) -> dict[str, list[int] | None]:
    """Modification time in nanoseconds and size in bytes of each file; None for a missing one."""
    found: dict[str, list[int] | None] = dict.fromkeys(names)
    for name in names:
        with contextlib.suppress(OSError):
            status = (folder / name).stat()
            found[name] = [status.st_mtime_ns, status.st_size]
    return found


def cut_short(folder: Path, names: tuple[str, ...]) -> list[str]:
    """The files that end in the middle of a line, as most do while they are copied."""
    return [name for name in names if not _ends_with_a_line(folder / name)]


def _ends_with_a_line(path: Path) -> bool:
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(-min(2, file.seek(0, os.SEEK_END)), os.SEEK_END)
        return b"\n" in file.read()  # two bytes, for UTF-16
    return False


class Watch:
    """Says when the files differ from what was read last, and nobody writes to them any more.

    Args:
        read: signature of the files as the last run read them; None if there is none.
    """

    def __init__(self, read: Signature | None) -> None:
        self._read = read
        self._seen = read
        self._changed: dict[str, tuple[float, float]] = {}  # when first and last

    def was_read(self, files: Signature) -> None:
        """A run reads the files as they are now."""
        self._read = files
        self._changed.clear()

    def is_due(self, files: Signature, moment: float, cut_short: Collection[str] = ()) -> bool:
        """Whether to build, seeing these files at this moment.

        Without a run to compare with, what is there first counts as read: the first build is not
        this one's to ask for.

        Args:
            files: as they are now.
            moment: now, in seconds of a steady clock.
            cut_short: names of those that end in the middle of a line.
        """
        if self._read is None or self._seen is None:
            self._read = self._seen = files
        for name in files:
            if files[name] != self._seen.get(name):
                first, _ = self._changed.get(name, (moment, moment))
                self._changed[name] = first, moment
        self._seen = files
        is_whole = all(seen is not None for seen in files.values())
        return is_whole and files != self._read and self._have_settled(moment, cut_short)

    def _have_settled(self, moment: float, cut_short: Collection[str]) -> bool:
        for name, (first, last) in self._changed.items():
            is_growing = last > first or name in cut_short
            patience = min(max(last - first, LEAST_PATIENCE), MOST_PATIENCE)
            if moment - last < (patience if is_growing else SETTLED_AFTER):
                return False
        return True
