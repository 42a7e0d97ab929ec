"""Measure builds on Spark, with one worker and with two, against PostgreSQL.

    ELUTE_HOME=/tmp/elute-benchmark ./run_app.sh env   # once; then what docs/scale-out.md installs:
    SPARK_HOME=… "$ELUTE_HOME/venv/bin/python" -m benchmarks.spark [--sizes 1000000] [--rounds 3]

They take turns on one machine, both clusters started and warm. Prints a table and writes JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import tempfile
from collections import defaultdict
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import psutil  # type: ignore[import-untyped]

from benchmarks.generate import Laboratory, generate
from benchmarks.run import BIN, intervals, node_times, run_measured, span
from elute.commands.tables import table
from elute.database.own_server import own_server
from elute.environment import environment
from elute.settings import Settings
from scripts.spark_cluster import Cluster

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LARGEST = "seed.elute.user_experiments"
WARM_UP = 10_000  # experiments of the first build of each, which no table needs


class Engine(NamedTuple):
    """What does the work: PostgreSQL alone, or a cluster and PostgreSQL."""

    name: str
    cluster: Cluster | None
    postmaster: int

    @property
    def processes(self) -> dict[str, psutil.Process]:
        """Those of the cluster, by name, and what its workers have started."""
        found = {}
        for name, process in self.cluster.processes.items() if self.cluster else ():
            found[name] = psutil.Process(process.pid)
            for executor in found[name].children():
                if executor.status() != psutil.STATUS_ZOMBIE:  # One that was lost and replaced.
                    found[f"executor of {name}"] = executor
        return found

    def cpu_seconds(self) -> dict[str, float]:
        """Of dbt, of PostgreSQL, and of the cluster, ended processes included."""
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        cluster = self.cluster.processes.values() if self.cluster else ()
        return {
            "dbt": usage.ru_utime + usage.ru_stime,
            "PostgreSQL": _cpu_seconds(self.postmaster),
            "cluster": sum(_cpu_seconds(process.pid) for process in cluster),
        }


def _cpu_seconds(pid: int) -> float:
    seconds = 0.0
    root = psutil.Process(pid)
    for process in [root, *root.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):  # Then its parent has its seconds.
            seconds += sum(process.cpu_times()[:4])
    return seconds


def peak(process: psutil.Process) -> int:
    """The most memory that a process has held, in bytes."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def queries(target: Path) -> dict[str, list[tuple[float, float]]]:
    """By node, when each of its queries began and ended, in seconds of Unix time."""
    found = defaultdict(list)
    for line in (target / "dbt.log").read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        if event["info"]["name"] == "SQLQueryStatus" and "node_info" in event["data"]:
            end = datetime.fromisoformat(event["info"]["ts"].replace("Z", "+00:00")).timestamp()
            node = event["data"]["node_info"]["unique_id"]
            found[node].append((end - event["data"]["elapsed"], end))
    return found


def seconds_of_any(moments: Iterable[tuple[float, float]]) -> float:
    """Seconds in which at least one of them went on."""
    seconds, done = 0.0, 0.0
    for start, end in sorted(moments):
        seconds += max(0.0, end - max(start, done))
        done = max(done, end)
    return seconds


def own_seconds(target: Path, made: Mapping[str, list[tuple[float, float]]]) -> dict[str, float]:
    """By node, the seconds that it took beside its queries: to read a file, or to copy rows out."""
    results = json.loads((target / "run_results.json").read_text(encoding="utf-8"))["results"]
    took = {result["unique_id"]: float(result["execution_time"]) for result in results}
    return {
        node: seconds - sum(end - start for start, end in made.get(node, ()))
        for node, seconds in took.items()
    }


def measure(engine: Engine, files: Path, home: Path) -> dict[str, Any]:
    """One build without unit tests: seconds, seconds of CPU, and peak memory in bytes."""
    target = home / "targets" / engine.name.replace(" ", "-")
    variables = {"ELUTE_SEEDS_DIR": str(files), "DBT_TARGET_PATH": str(target)}
    if engine.cluster:
        variables |= {"ELUTE_ENGINE": "spark", "SPARK_REMOTE": engine.cluster.remote}
    (target / "dbt.log").unlink(missing_ok=True)
    command = [
        str(BIN / "dbt"), "build", "--exclude-resource-type", "unit_test",
        "--log-path", str(target), "--log-level-file", "debug", "--log-format-file", "json",
    ]  # fmt: skip
    for process in engine.processes.values():
        with suppress(FileNotFoundError):  # An executor that was idle may have ended.
            Path(f"/proc/{process.pid}/clear_refs").write_text("5")  # forgets VmHWM
    before = engine.cpu_seconds()
    _, memory = run_measured(command, variables)
    after = engine.cpu_seconds()
    made = queries(target)
    own = own_seconds(target, made)
    of_models = [m for node, all_of in made.items() if node.startswith("model.") for m in all_of]
    size = (files / "user_experiments.csv").stat().st_size / 1e6
    return {
        "all": node_times(target)["all"],
        "staging": own[LARGEST],
        "MB/s": size / own[LARGEST],
        "models": seconds_of_any(of_models),
        "models and copying": span(intervals(target)["model"]),
        "copying": sum(seconds for node, seconds in own.items() if node.startswith("model.")),
        "publishing": sum(
            seconds for node, seconds in own.items() if node.startswith("operation.")
        ),
        **{f"CPU {name}": after[name] - before[name] for name in after},
        "memory dbt": memory / 1e6,
        **{f"memory {name}": peak(process) / 1e6 for name, process in engine.processes.items()},
    }


def engines(stack: ExitStack, folder: Path, memory: str, postmaster: int) -> list[Engine]:
    """PostgreSQL, and two clusters, which go on until the stack is closed."""
    found = [Engine("PostgreSQL", None, postmaster)]
    for workers in (1, 2):
        cluster = Cluster(folder / f"cluster-{workers}", workers, memory)
        stack.callback(cluster.stop)
        cluster.start()
        found.append(Engine(f"Spark, {workers} of one core", cluster, postmaster))
    return found


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Measure builds on Spark.")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10**6])
    parser.add_argument("--users", type=int, help="of every size, in the place of one in twenty")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", default="1g", help="of the server and of each executor")
    arguments = parser.parse_args()
    settings = Settings.from_environment()
    os.environ.update(environment(settings))
    with own_server(settings) as server:
        postmaster = server.start().pid
    results = []
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        os.environ["ELUTE_SPARK_FOLDER"] = f"{name}/builds"
        made = engines(stack, Path(name), arguments.memory, postmaster)
        for size in [WARM_UP, *arguments.sizes]:
            laboratory = Laboratory.of(size)
            if arguments.users:
                laboratory = replace(laboratory, users=arguments.users)
            files = settings.home / "data" / f"{size}-{laboratory.users}"
            if not files.exists():
                generate(files, laboratory)
            rounds: dict[str, list[dict[str, float]]] = defaultdict(list)
            for _ in range(1 if size == WARM_UP else arguments.rounds):
                for engine in made:
                    rounds[engine.name].append(measure(engine, files, settings.home))
            results.append({"size": size, "users": laboratory.users, "rounds": rounds})
            print(f"{size:,} experiments, {laboratory.users:,} users", flush=True)
            print(as_table(rounds), flush=True)
    path = settings.home / "benchmark-spark.json"
    path.write_text(json.dumps(results, indent=2), encoding="utf-8")
    print(f"Every round is in {path}.")


def as_table(rounds: dict[str, list[dict[str, float]]]) -> str:
    """Medians, a column for each engine."""
    medians = {
        name: {key: statistics.median(one[key] for one in ones if key in one) for key in ones[-1]}
        for name, ones in rounds.items()
    }
    keys = dict.fromkeys(key for median in medians.values() for key in median)
    rows = [
        [key, *(f"{median[key]:.1f}" if key in median else "" for median in medians.values())]
        for key in keys
    ]
    return table(["measured", *medians], rows)


if __name__ == "__main__":
    main()
