"""Measure loading and building against stock seeds and against a hand-written script.

    ELUTE_HOME=/tmp/elute-benchmark ./run_app.sh env   # once, to set up; then, in the checkout:
    "$ELUTE_HOME/venv/bin/python" -m benchmarks.run [--sizes 10000 100000 1000000] [--rounds 3]

Everything runs on one server, one thing at a time, in turns. Prints a table and writes JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.generate import Laboratory, generate
from elute.commands.tables import table
from elute.environment import environment
from elute.settings import CHECKOUT, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable

STOCK_LIMIT = 100_000  # Stock seeds take a minute for each 100,000 records.
BIN = Path(sys.executable).parent
STOCK_PROFILE = """
stock:
  target: default
  outputs:
    default:
      type: postgres
      host: "{{ env_var('PGHOST') }}"
      port: "{{ env_var('PGPORT') | as_number }}"
      user: "{{ env_var('PGUSER') }}"
      password: "{{ env_var('PGPASSWORD', '') }}"
      dbname: "{{ env_var('PGDATABASE') }}"
      schema: benchmark_stock
      threads: 4
"""
STOCK_PROJECT = {"name": "stock", "version": "1.0", "profile": "stock", "seed-paths": ["seeds"]}


def run_measured(command: list[str], variables: dict[str, str]) -> tuple[float, int]:
    """Run a command; seconds, and the most memory that it held at once, in bytes."""
    start = time.perf_counter()
    with (
        subprocess.Popen(
            command,
            env={**os.environ, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process,
    ):
        assert process.stdout
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{output[-3000:]}")
    return time.perf_counter() - start, usage.ru_maxrss * 1024


def intervals(target: Path) -> dict[str, list[tuple[datetime, datetime]]]:
    """When the nodes of the last build began and ended, by their kind."""
    results = json.loads((target / "run_results.json").read_text(encoding="utf-8"))["results"]
    kinds: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    for result in results:
        times = [
            datetime.fromisoformat(stage[key].rstrip("Z"))
            for stage in result["timing"]
            if stage["completed_at"]
            for key in ("started_at", "completed_at")
        ]
        if times:
            kinds[result["unique_id"].split(".")[0]].append((min(times), max(times)))
    return kinds


def span(moments: Iterable[tuple[datetime, datetime]]) -> float:
    """Seconds from the first start to the last end."""
    starts, ends = zip(*moments, strict=True)
    return float((max(ends) - min(starts)).total_seconds())


def node_times(target: Path) -> dict[str, float]:
    """Seconds by kind of node and, for `all`, from the first node's start to the last one's end."""
    kinds = intervals(target)
    tests = kinds["test"] + kinds["unit_test"]
    return {
        "load": max(span([seed]) for seed in kinds["seed"]),
        "transform": sum(span([model]) for model in kinds["model"]),
        "tests": sum(span([test]) for test in tests),
        "all": span(kinds["seed"] + kinds["model"] + tests),
    }


def measure_stock(folder: Path, home: Path) -> float:
    """Seconds that a seed of dbt-postgres takes for user_experiments.csv."""
    project = home / "stock"
    (project / "seeds").mkdir(parents=True, exist_ok=True)
    (project / "profiles.yml").write_text(STOCK_PROFILE)
    (project / "dbt_project.yml").write_text(json.dumps(STOCK_PROJECT))
    link = project / "seeds" / "user_experiments.csv"
    link.unlink(missing_ok=True)
    link.symlink_to(folder / "user_experiments.csv")
    paths = {"DBT_PROJECT_DIR": str(project), "DBT_PROFILES_DIR": str(project)}
    paths["DBT_TARGET_PATH"] = str(project / "target")
    run_measured([str(BIN / "dbt"), "seed", "--full-refresh"], paths)
    return node_times(project / "target")["load"]


def measure_build(folder: Path, home: Path) -> dict[str, float]:
    """One `dbt build` with all its tests: node times, and peak memory in bytes."""
    variables = {"ELUTE_SEEDS_DIR": str(folder)}
    _, memory = run_measured([str(BIN / "dbt"), "build"], variables)
    return {**node_times(home / "target"), "memory": memory}


def measure_script(folder: Path) -> float:
    """Seconds that the hand-written script takes."""
    script = str(CHECKOUT / "benchmarks" / "whole.sql")
    return run_measured(
        ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-v", f"data={folder}", "-f", script], {}
    )[0]


def measure(size: int, rounds: int, home: Path) -> dict[str, Any]:
    """All that is measured for one size: medians of the rounds, taken in turns."""
    folder = home / "data" / str(size)
    if not (folder / "user_experiments.csv").exists():
        generate(folder, Laboratory.of(size))
    run_measured([str(BIN / "dbt"), "parse"], {"ELUTE_SEEDS_DIR": str(folder)})
    builds, scripts = [], []
    for _ in range(rounds):
        scripts.append(measure_script(folder))
        builds.append(measure_build(folder, home))
    stock = measure_stock(folder, home) if size <= STOCK_LIMIT else None
    medians = {key: statistics.median(build[key] for build in builds) for key in builds[0]}
    return {
        "experiments": size,
        "stock_seed": stock,
        **medians,
        "script": statistics.median(scripts),
        "ratio": medians["all"] / statistics.median(scripts),
        "rounds": {"builds": builds, "scripts": scripts},
    }


def as_row(result: dict[str, Any]) -> list[str]:
    """One line of the table."""
    stock = result["stock_seed"]
    return [
        f"{result['experiments']:,}",
        f"{stock:.1f} s" if stock else "",
        f"{result['load']:.2f} s",
        f"{stock / result['load']:.0f}" if stock else "",
        f"{result['transform']:.1f} s",
        f"{result['tests']:.1f} s",
        f"{result['all']:.1f} s",
        f"{result['script']:.1f} s",
        f"{result['ratio']:.2f}",
        f"{result['memory'] / 1e6:.0f} MB",
    ]


HEADINGS = [
    "experiments",
    "stock seed",
    "our seed",
    "times faster",
    "models",
    "tests",
    "first node to last",
    "psql script",
    "build / script",
    "dbt's memory",
]


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Measure loading and building.")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10**4, 10**5, 10**6, 10**7])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--json", type=Path, help="where to write the JSON; ELUTE_HOME if not given"
    )
    arguments = parser.parse_args()
    settings = Settings.from_environment()
    os.environ.update(environment(settings))
    results = []
    for size in arguments.sizes:
        results.append(measure(size, arguments.rounds, settings.home))
        print(table(HEADINGS, [as_row(results[-1])]), flush=True)
    print(table(HEADINGS, map(as_row, results)))
    path = arguments.json or settings.home / "benchmark.json"
    path.write_text(json.dumps(results, indent=2), encoding="utf-8")
    print(f"Every round is in {path}.")


if __name__ == "__main__":
    main()
