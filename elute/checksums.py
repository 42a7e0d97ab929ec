"""SHA-256 of files, read again only if they may have changed."""

import hashlib
import os
import threading
import time
from pathlib import Path
from typing import NamedTuple

# Within it, a file may change and show the same times: as coarse as file systems keep them.
_GRANULARITY = 2.0  # seconds
_BLOCK = 1 << 20


class _Known(NamedTuple):
    state: tuple[int, ...]
    seen_at: float  # when the file was first seen in this state, by a clock that nobody sets
    digest: str | None  # None if it was read too soon after that to be sure


_known: dict[Path, _Known] = {}
_lock = threading.Lock()


def sha256_of(path: Path) -> str | None:
    """The SHA-256 of a file; None if it cannot be read.

    A file that looks as it did (inode, size and times) is not read again, unless it was read so
    soon after it came to look so that a change since might not show.
    """
    with _lock:
        try:
            return _digest(path)
        except OSError:
            return None


def _digest(path: Path) -> str:
    state, now = _state(path), time.monotonic()
    known = _known.get(path)
    if known is None or known.state != state:
        known = _Known(state, now, None)
    if known.digest is None:
        digest = _read(path)
        is_sure = now > known.seen_at + _GRANULARITY and _state(path) == state
        _known[path] = known._replace(digest=digest if is_sure else None)
        return digest
    return known.digest


def _read(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _state(path: Path) -> tuple[int, ...]:
    found = os.stat(path)  # noqa: PTH116 (a Path for each file takes as long again)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
