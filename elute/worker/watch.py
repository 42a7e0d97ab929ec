"""When files have changed and settled."""

import contextlib
from collections.abc import Mapping
from pathlib import Path

SETTLED_AFTER = 2.0  # seconds without a change
Signature = Mapping[str, list[int] | None]


def files_signature(folder: Path, names: tuple[str, ...]) -> dict[str, list[int] | None]:
    """Modification time in nanoseconds and size in bytes of each file; None for a missing one."""
    found: dict[str, list[int] | None] = dict.fromkeys(names)
    for name in names:
        with contextlib.suppress(OSError):
            status = (folder / name).stat()
            found[name] = [status.st_mtime_ns, status.st_size]
    return found


class Watch:
    """Says when the files differ from what was read last, and nobody writes to them any more.

    Args:
        read: signature of the files as the last run read them; None if there is none.
    """

    def __init__(self, read: Signature | None) -> None:
        self._read = read
        self._seen: Signature | None = None
        self._since = 0.0

    def was_read(self, files: Signature) -> None:
        """A run reads the files as they are now."""
        self._read = files

    def is_due(self, files: Signature, moment: float) -> bool:
        """Whether to build, seeing these files at this moment, in seconds of a steady clock.

        Without a run to compare with, what is there first counts as read: the first build is not
        this one's to ask for.
        """
        if files != self._seen:
            self._seen, self._since = files, moment
        if self._read is None:
            self._read = files
        is_whole = all(seen is not None for seen in files.values())
        return is_whole and files != self._read and moment - self._since >= SETTLED_AFTER
