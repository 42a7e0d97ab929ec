"""What we need to know about running processes."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

_PROC = Path("/proc")


def is_postmaster(pid: int, data: Path) -> bool:
    """Whether this process is the PostgreSQL server of that data folder.

    A stale pid file may name any process by now, so its command line has to say so. A process
    that has ended and waits to be collected has none.
    """
    arguments = command_line(pid)
    return Path(arguments[0]).name == "postgres" and str(data) in arguments


def titled(title: str) -> list[int]:
    """Ids of the processes whose title begins so; a PostgreSQL backend's names its cluster."""
    return [pid for pid in _all() if command_line(pid)[0].startswith(title)]


def command_line(pid: int) -> list[str]:
    """The process's arguments; an empty one if there is no such process."""
    if not (_PROC / "self").exists():
        return _command_line_elsewhere(pid)
    try:
        raw = (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return [""]
    return os.fsdecode(raw).rstrip("\0").split("\0")


def end(pids: list[int], number: signal.Signals) -> None:
    """Send a signal to each process that is still there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def wait(done: Callable[[], bool], seconds: float) -> bool:
    """Wait until `done`, at most so many seconds; tell whether it is."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def _all() -> list[int]:
    if not (_PROC / "self").exists():
        import psutil  # type: ignore[import-untyped] # noqa: PLC0415

        return list(psutil.pids())
    return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal()]


def _command_line_elsewhere(pid: int) -> list[str]:
    """For systems without /proc; elsewhere it would only slow every start down."""
    import psutil  # noqa: PLC0415

    try:
        return psutil.Process(pid).cmdline() or [""]
    except psutil.Error:
        return [""]
