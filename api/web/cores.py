"""Keeping this process to one core at a time, the one that has the most time for it.

Python runs one thread at a time. Where its threads are on several cores, they hand its lock from
core to core, which takes longer than what they do with it: see benchmarks/README.md.
"""

import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

LOOK_SECONDS = 1.0
WORTH_MOVING = 0.25  # of a core's time, which another must have more of
_TICKS = os.sysconf("SC_CLK_TCK")  # a second
_ALL = frozenset(os.sched_getaffinity(0))
_current: int | None = None


def keep_to_one() -> None:
    """Begin to, if there are several to choose from."""
    if len(_ALL) > 1:
        threading.Thread(target=_keep_to_one, name="cores", daemon=True).start()


@contextmanager
def all_of_them() -> Iterator[None]:
    """Let this thread, and the processes it starts, use every core."""
    os.sched_setaffinity(0, _ALL)
    try:
        yield
    finally:
        if _current is not None:
            os.sched_setaffinity(0, {_current})


def best(free: Mapping[int, float], current: int | None) -> int:
    """The core to be on.

    Args:
        free: the share of each core's time that nobody else has used.
        current: where we are; None for everywhere.
    """
    freest = max(free, key=lambda core: free[core])
    if current is not None and free[freest] < free[current] + WORTH_MOVING:
        return current
    return freest


def _keep_to_one() -> None:
    global _current  # noqa: PLW0603 (there is one of this process)
    # Where a container shows other cores than it has, or changes them, all stays as it is.
    with suppress(OSError, KeyError):
        idle, used, moment = _idle_seconds(), time.process_time(), time.monotonic()
        while True:
            time.sleep(LOOK_SECONDS)
            before, used_before, moment_before = idle, used, moment
            idle, used, moment = _idle_seconds(), time.process_time(), time.monotonic()
            seconds = moment - moment_before
            free = {core: (idle[core] - before[core]) / seconds for core in _ALL}
            if _current is not None:
                free[_current] += (used - used_before) / seconds
            wanted = best(free, _current)
            if wanted != _current:
                _move(wanted)
                _current = wanted


def _idle_seconds() -> dict[int, float]:
    """How long each core has had nothing to do since the machine was started."""
    found = {}
    for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
        name, *times = line.split()
        if name.startswith("cpu") and name != "cpu":
            found[int(name[3:])] = (int(times[3]) + int(times[4])) / _TICKS
    return found


def _move(core: int) -> None:
    """Take all threads there; those they start follow."""
    moved: set[int] = set()
    while threads := {int(entry.name) for entry in Path("/proc/self/task").iterdir()} - moved:
        for thread in threads:
            with suppress(ProcessLookupError):
                os.sched_setaffinity(thread, {core})
        moved |= threads
