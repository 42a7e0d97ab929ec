"""Measure a triggered run, by a worker with warm dbt, against a cold `dbt build` process.

    ELUTE_HOME=/tmp/elute-benchmark ./run_app.sh env   # once, to set up; then, in the checkout:
    "$ELUTE_HOME/venv/bin/python" -m benchmarks.warm [--rounds 7] [--runs 200]

Takes turns on one server: cold, triggered, cold, … With --runs it then goes on triggering, and
looks at what the worker's processes hold in memory. Stop `elute serve` of the same database first.
"""

import argparse
import json
import os
import select
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.run import BIN, run_measured
from elute.commands.tables import table
from elute.database import schema
from elute.database.sessions import Session, connect
from elute.environment import environment
from elute.runs import queue
from elute.settings import CHECKOUT, Settings

_MEMORY = "Pss:"  # in smaps_rollup: memory shared by several counts in parts


@contextmanager
def worker(log: Path) -> Iterator[int]:
    """A worker of our own; its process id."""
    command = [sys.executable, "-m", "elute.cli", "worker"]
    with log.open("wb") as file, subprocess.Popen(command, cwd=CHECKOUT, stderr=file) as process:
        yield process.pid
        process.terminate()


def triggered(session: Session) -> float:
    """Seconds from asking for a run until it is known to have succeeded."""
    start = time.perf_counter()
    run = queue.request(session, "http", "benchmark")
    while not run.has_ended:
        session.poll()
        if not session.notifies:
            select.select([session], [], [], 5)
        session.notifies.clear()
        run = queue.get(session, run.run_id) or run
    if run.state != "succeeded" or not run.is_warm:
        sys.exit(f"Run {run.run_id}: {run.state}, warm: {run.is_warm}. {run.error or ''}")
    return time.perf_counter() - start


def in_turns(session: Session, pid: int, rounds: int) -> dict[str, Any]:
    """Medians and every round, of cold builds and triggered ones."""
    cold, warm = [], []
    triggered(session)  # while dbt is still being loaded
    for _ in range(rounds):
        wait_for_docs(pid)
        cold.append(run_measured([str(BIN / "dbt"), "build"], {})[0])
        warm.append(triggered(session))
    medians = statistics.median(cold), statistics.median(warm)
    return {
        "cold": medians[0],
        "warm": medians[1],
        "ratio": medians[0] / medians[1],
        "rounds": {"cold": cold, "warm": warm},
    }


def memory(pid: int) -> int:
    """Bytes that a process holds, and those it has started."""
    total = 0
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(_MEMORY):
            total += int(line.split()[1]) * 1024
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += sum(memory(int(child)) for child in (task / "children").read_text().split())
    return total


def over_runs(session: Session, pid: int, runs: int) -> list[tuple[int, int]]:
    """How many runs there were, and what the worker and warm dbt then held at rest, in bytes."""
    seen = []
    for number in range(1, runs + 1):
        triggered(session)
        if number % max(1, runs // 10) == 0 or number == min(10, runs):
            wait_for_docs(pid)
            seen.append((number, memory(pid)))
            print(f"  after {number} runs: {seen[-1][1] / 1e6:.1f} MB", flush=True)
    return seen


def wait_for_docs(pid: int) -> None:
    """Wait until the docs have been made: that is no part of a run, and is to disturb none."""
    deadline = time.monotonic() + 30
    time.sleep(0.5)
    while len(descendants(pid)) > 2 and time.monotonic() < deadline:
        time.sleep(0.5)


def descendants(pid: int) -> list[int]:
    """The processes started by a process, and by those."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found += [child, *descendants(child)]
    return found


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Measure triggered runs against cold builds.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--runs", type=int, default=0, help="more runs, to look at memory")
    parser.add_argument("--json", type=Path, help="where to write; ELUTE_HOME if not given")
    arguments = parser.parse_args()
    settings = Settings.from_environment()
    os.environ.update(environment(settings))
    schema.upgrade(os.environ)
    run_measured([str(BIN / "dbt"), "build"], {})  # What is made once is made now.
    log = settings.home / "benchmark-worker.log"
    with worker(log) as pid, closing(connect()) as session:
        session.cursor().execute("listen elute_runs")
        result = in_turns(session, pid, arguments.rounds)
        row = [f"{result['cold']:.2f} s", f"{result['warm']:.2f} s", f"{result['ratio']:.1f}"]
        print(table(["cold dbt build", "triggered, warm", "times faster"], [row]), flush=True)
        result["memory"] = over_runs(session, pid, arguments.runs)
    path = arguments.json or settings.home / "benchmark-warm.json"
    path.write_text(json.dumps(result, indent=2), encoding="utf-8")
    print(f"Every round is in {path}.")


if __name__ == "__main__":
    main()
