"""Keeping this process to one core at a time, the one that has the most time for it.

Python runs one thread at a time. Where its threads are on several cores, they hand its lock from
core to core, which takes longer than what they do with it: see benchmarks/README.md.
"""

import os
import random
import threading
import time
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from pathlib import Path

LOOK_SECONDS = 1.0
WORTH_MOVING = 0.25  # of a core's time, which another must have more of
_TICKS = os.sysconf("SC_CLK_TCK")  # a second
_ALL = frozenset(os.sched_getaffinity(0))
_moving = threading.Lock()


def keep_to_one() -> None:
    """Begin to, if there are several to choose from."""
    threading.Thread(target=_keep_to_one, name="cores", daemon=True).start()


@contextmanager
def all_of_them() -> Iterator[None]:
    """Let this thread, and the processes it starts, use every core."""
    with _moving:
        before = os.sched_getaffinity(0)
        _go(0, _ALL)
        try:
            yield
        finally:
            _go(0, before)


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
    cores, current = _ALL, None
    idle, used, moment = _idle_seconds(), time.process_time(), time.monotonic()
    while len(cores) > 1 and cores <= idle.keys():  # A container may be shown others.
        # Out of step with those who do the same: they would all go to the same core.
        time.sleep(LOOK_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311
        if current is not None and os.sched_getaffinity(0) != {current}:
            cores, current = frozenset(os.sched_getaffinity(0)), None  # Somebody has changed them.
        before, used_before, moment_before = idle, used, moment
        idle, used, moment = _idle_seconds(), time.process_time(), time.monotonic()
        seconds = moment - moment_before
        free = {core: (idle.get(core, 0) - before.get(core, 0)) / seconds for core in cores}
        if current is not None:
            free[current] += (used - used_before) / seconds
        wanted = best(free, current)
        if wanted != current:
            with _moving:
                if _move(wanted):
                    current = wanted
                else:
                    cores -= {wanted}  # It is not ours any more.


def _idle_seconds() -> dict[int, float]:
    """How long each core has had nothing to do since the machine was started."""
    found = {}
    for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
        name, *times = line.split()
        if name.startswith("cpu") and name != "cpu":
            found[int(name[3:])] = (int(times[3]) + int(times[4])) / _TICKS
    return found


def _move(core: int) -> bool:
    """Take all threads there, and whether it can be done; those they start follow."""
    moved: set[int] = set()
    while threads := {int(entry.name) for entry in Path("/proc/self/task").iterdir()} - moved:
        if not all(_go(thread, {core}) for thread in threads):
            return False
        moved |= threads
    return True


def _go(thread: int, cores: Set[int]) -> bool:
    """Take a thread there, and whether it can be done."""
    try:
        os.sched_setaffinity(thread, cores)
    except ProcessLookupError:
        return True  # It has ended, which is as good.
    except OSError:
        return False
    return True
