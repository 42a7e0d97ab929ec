"""Keeping a process to one core: which one, and that all its threads are there."""

import os
import subprocess
import sys

import pytest

from api.settings import CHECKOUT
from api.web.cores import best

MOVES = """
import os, pathlib, subprocess, sys, threading, time
from api.web import cores

cores.LOOK_SECONDS = 0.05
stay = threading.Event()
threading.Thread(target=stay.wait, daemon=True).start()
cores.keep_to_one()
end = time.monotonic() + 30
while time.monotonic() < end:
    threads = [int(entry.name) for entry in pathlib.Path("/proc/self/task").iterdir()]
    found = {frozenset(os.sched_getaffinity(thread)) for thread in threads}
    if len(found) == 1 and len(min(found)) == 1:
        break
print(len(threads), len(min(found)), flush=True)
with cores.all_of_them():
    threading.Event().wait(0.5)  # It looks meanwhile.
    child = "import os; print(len(os.sched_getaffinity(0)), flush=True)"
    subprocess.run([sys.executable, "-c", child], check=True)
print(len(os.sched_getaffinity(0)))
"""


@pytest.mark.parametrize(
    ("free", "current", "wanted"),
    [
        ({0: 0.2, 1: 0.9}, None, 1),
        ({0: 0.5, 1: 0.9}, 0, 1),
        ({0: 0.7, 1: 0.9}, 0, 0),
        ({0: 1.0, 1: 0.0}, 0, 0),
    ],
)
def test_it_moves_where_there_is_much_more_time(
    free: dict[int, float], current: int | None, wanted: int
) -> None:
    assert best(free, current) == wanted


def test_all_threads_go_there_and_what_it_starts_need_not() -> None:
    cores = len(os.sched_getaffinity(0))
    if cores == 1:
        pytest.skip("this machine has one core")
    done = subprocess.run(
        [sys.executable, "-c", MOVES],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        timeout=60,
    )
    assert done.stdout.split() == ["3", "1", str(cores), "1"]
