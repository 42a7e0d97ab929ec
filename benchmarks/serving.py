"""Measure what the service serves, against PostgreSQL alone and against Datasette.

    ELUTE_HOME=/tmp/elute-benchmark ./run_app.sh env   # once, to set up; then, in the checkout:
    "$ELUTE_HOME/venv/bin/python" -m benchmarks.serving [--users 100000] [--datasette PATH]

Builds a laboratory of that many users and as many experiments, and starts the web app as `elute
serve` does. Small answers are asked for with `wrk`; PostgreSQL alone runs the same statement under
`pgbench`, and Datasette serves the same rows. Large answers go into a file, in turns with psql. One
thing at a time, in turns. Prints tables and writes JSON. `wrk`, `pgbench`, `psql` and `curl` have
to be in the path.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import re
import socket
import sqlite3
import statistics
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.generate import Laboratory, generate
from benchmarks.run import BIN, run_measured
from elute.commands.tables import table
from elute.environment import environment
from elute.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FORMS = {
    "JSON": "application/json",
    "NDJSON": "application/x-ndjson",
    "CSV": "text/csv",
}
_AS_JSON = "copy (select row_to_json(u) from marts.user_summary as u order by user_id) to stdout"
_AS_ARRAY = "select json_agg(u) from ({}) as u;"
_FILTER = "name ilike '%77%' and experiment_count >= 1"


@dataclass(frozen=True)
class Request:
    """What is asked for: of Elute, in SQL, and of Datasette; some of it only Elute has."""

    name: str
    path: str
    sql: str | None = None
    datasette: str | None = None


def requests(users: int) -> list[Request]:
    """The small answers."""
    one = users // 2
    mart = "select * from marts.user_summary"
    return [
        Request(
            "one user",
            f"/etl-results/{one}",
            _AS_ARRAY.format(f"{mart} where user_id = {one}"),
            f"/users/user_summary/{one}.json?_shape=array",
        ),
        Request(
            "page of 50",
            "/etl-results?limit=50&offset=50",
            _AS_ARRAY.format(f"{mart} order by user_id limit 50 offset 50"),
            # It has no offset: a page begins after a key.
            "/users/user_summary.json?_size=50&_next=50&_shape=array&_nocount=1&_nofacet=1",
        ),
        Request(
            "page, filtered and counted",
            "/etl-results?limit=50&name=ilike.*77*&experiment_count=gte.1",
            _AS_ARRAY.format(f"{mart} where {_FILTER} order by user_id limit 50")
            + f" {mart.replace('*', 'count(*)')} where {_FILTER};",
            "/users/user_summary.json?_size=50&name__contains=77&experiment_count__gte=1&_nofacet=1&_nosuggest=1",
        ),
        Request("histogram", "/marts/user_summary/histogram?column=avg_experiment_run_time"),
        Request("explanation of a user", f"/etl-results/{one}/explain"),
        Request("explanation of a compound", "/compounds/7/explain"),
    ]


def main() -> None:
    """Measure, print, and write JSON."""
    parser = argparse.ArgumentParser(description="Measure what the service serves.")
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5, help="of each load")
    parser.add_argument("--datasette", help="the program, in an environment of its own")
    options = parser.parse_args()
    with served(options.users) as (elute, pid, folder):
        result = {
            "users": options.users,
            "large": large(elute, pid, folder, options.rounds),
            "small": small(elute, folder, options),
            "table": columns(elute, options.rounds),
        }
    path = folder.parents[1] / "benchmark-serving.json"
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"written to {path}")


@contextmanager
def served(users: int) -> Iterator[tuple[str, int, Path]]:
    """So many users, built, and the web app over them; its address and process, and a folder."""
    settings = Settings.from_environment()
    os.environ.update(environment(settings))
    folder = settings.home / "data" / f"serving-{users}"
    generate(folder, Laboratory(experiments=users, users=users))
    run_measured([str(BIN / "dbt"), "build"], {"ELUTE_SEEDS_DIR": str(folder)})
    with socket.create_server(("127.0.0.1", 0)) as listener:
        elute = f"http://127.0.0.1:{listener.getsockname()[1]}"
        command = [sys.executable, "-m", "dashboard.server", "--socket", str(listener.fileno())]
        with running(command, f"{elute}/health/live", [listener.fileno()]) as pid:
            yield elute, pid, folder


def large(elute: str, pid: int, folder: Path, rounds: int) -> list[tuple[str, ...]]:
    """Every user in each form, and psql writing them as JSON, in turns; medians."""
    file = folder / "answer"
    psql: list[float] = []
    seconds: dict[str, list[float]] = {form: [] for form in FORMS}
    sizes, peaks = dict.fromkeys(FORMS, 0), dict.fromkeys(FORMS, 0)
    before = memory(pid)
    for _ in range(rounds):
        psql.append(timed(["psql", "-qAtX", "-o", str(file), "-c", _AS_JSON]))
        psql_size = file.stat().st_size
        for form, media_type in FORMS.items():
            header, url = f"Accept: {media_type}", f"{elute}/etl-results"
            seconds[form].append(timed(["curl", "-sSf", "-H", header, "-o", str(file), url]))
            sizes[form] = file.stat().st_size
            peaks[form] = max(peaks[form], memory(pid))
    usual = statistics.median(psql)
    rows: list[tuple[str, ...]]
    rows = [("psql, JSON", f"{usual:.1f} s", f"{psql_size / 1e6:.0f} MB", "1.00", "1.00", "")]
    for form in FORMS:
        median = statistics.median(seconds[form])
        rows.append(
            (
                form,
                f"{median:.1f} s",
                f"{sizes[form] / 1e6:.0f} MB",
                f"{sizes[form] / median / (psql_size / usual):.2f}",
                f"{usual / median:.2f}",
                f"{(peaks[form] - before) / 1e6:.0f} MB",
            )
        )
    names = ["form", "time", "size", "bytes / psql", "rows / psql", "memory grew by"]
    print(f"{table(names, rows)}\n", flush=True)
    return rows


def small(elute: str, folder: Path, options: argparse.Namespace) -> list[tuple[str, ...]]:
    """Small answers to 16 clients, and of Elute to 200, from each in turn; medians."""
    wanted = requests(options.users)
    measured: dict[tuple[str, str], list[dict[str, float]]] = {}
    with datasette(options.datasette, elute, folder) as other:
        for turn in range(options.rounds + 1):  # In the first, connections are opened.
            for each in wanted:
                ways: dict[str, Callable[[], dict[str, float]]] = {
                    "Elute": partial(load, elute + each.path, 16, options.seconds),
                    "Elute, 200 clients": partial(load, elute + each.path, 200, options.seconds),
                }
                if each.sql:
                    ways["PostgreSQL alone"] = partial(pgbench, each.sql, folder, options.seconds)
                if other and each.datasette:
                    ways["Datasette"] = partial(load, other + each.datasette, 16, options.seconds)
                for way, measure in ways.items():
                    figures = measure()
                    if turn:
                        measured.setdefault((each.name, way), []).append(figures)
    rows = []
    for (name, way), figures_of_rounds in measured.items():
        median = {
            key: statistics.median(figures[key] for figures in figures_of_rounds)
            for key in figures_of_rounds[0]
        }
        ours = statistics.median(each["rate"] for each in measured[name, "Elute"])
        rows.append(
            (
                name,
                way,
                f"{median['rate']:,.0f}",
                f"{ours / (median['rate'] or math.inf):.2f}",
                *(f"{median[part]:.1f} ms" if part in median else "" for part in ("p50", "p99")),
            )
        )
    print(f"{table(['answer', 'by', 'a second', 'Elute / it', 'p50', 'p99'], rows)}\n", flush=True)
    return rows


def columns(elute: str, rounds: int) -> list[tuple[str, ...]]:
    """Pages as the dashboard asks for them, counted, in the order of each column, and filtered."""
    marts = json.loads(curl(f"{elute}/marts"))
    [mart] = [each for each in marts if each["name"] == "user_summary"]
    rows = []
    for name, data_type in ((each["name"], each["data_type"]) for each in mart["columns"]):
        queries = {
            "sorted": f"order={name}.desc.nullslast,user_id",
            "last page": f"order={name}.asc,user_id&offset=99900",
            "filtered": f"{name}=" + ("ilike.*77*" if data_type == "text" else "not.is.null"),
        }
        times = []
        for query in queries.values():
            url = f"{elute}/marts/user_summary?{query}&limit=50"
            command = ["curl", "-sSf", "-o", os.devnull, "-H", "Prefer: count=exact", url]
            times.append(statistics.median(timed(command) for _ in range(rounds)))
        rows.append((name, *(f"{1000 * seconds:.0f} ms" for seconds in times)))
    print(f"{table(['column', *queries], rows)}\n", flush=True)
    return rows


def load(url: str, clients: int, seconds: int) -> dict[str, float]:
    """Ask for the same by so many clients for so long; requests a second and milliseconds."""
    header = ["-H", "Prefer: count=exact"] if "ilike" in url else []
    curl(url)  # It is answered after what the clients before these have left behind.
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--latency", *header, url]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in text:
        sys.exit(f"{url} fails:\n{text}")
    rate = float(re.findall(r"Requests/sec:\s+([\d.]+)", text)[0])
    return {"rate": rate, "p50": _milliseconds(text, 50), "p99": _milliseconds(text, 99)}


def pgbench(statement: str, folder: Path, seconds: int) -> dict[str, float]:
    """Run a statement by 16 clients for so long; times a second."""
    script = folder / "statement.sql"
    script.write_text(f"{statement}\n", encoding="utf-8")
    command = ["pgbench", "-n", "-c16", "-j1", f"-T{seconds}", "-f", str(script)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {"rate": float(re.findall(r"tps = ([\d.]+)", text)[0])}


@contextmanager
def datasette(program: str | None, elute: str, folder: Path) -> Iterator[str | None]:
    """Datasette with the same rows in SQLite; its address, or None without it."""
    if program is None:
        yield None
        return
    file = folder / "users.db"
    file.unlink(missing_ok=True)
    header, *records = csv.reader(
        curl(f"{elute}/etl-results", "-H", "Accept: text/csv").splitlines()
    )
    with closing(sqlite3.connect(file)) as session, session:
        session.execute("create table user_summary (user_id integer primary key)")
        for name in header[1:]:
            session.execute(f'alter table user_summary add column "{name}"')
        places = ", ".join("?" * len(header))
        session.executemany(f"insert into user_summary values ({places})", records)  # noqa: S608
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [program, "serve", "--immutable", str(file), "--port", str(port)]
    with running(command, f"{address}/-/versions.json", []):
        yield address


@contextmanager
def running(command: list[str], url: str, descriptors: list[int]) -> Iterator[int]:
    """A server that answers at an address; the id of its process."""
    silent = subprocess.DEVNULL
    with subprocess.Popen(command, pass_fds=descriptors, stdout=silent, stderr=silent) as process:
        try:
            curl(url, "--retry", "60", "--retry-delay", "1", "--retry-connrefused")
            yield process.pid
        finally:
            process.terminate()


def curl(url: str, *options: str) -> str:
    """What is at an address."""
    command = ["curl", "-sSf", *options, url]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def timed(command: list[str]) -> float:
    """Run a command; seconds."""
    start = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - start


def memory(pid: int) -> int:
    """The most bytes that a process has held at once."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) * 1024


def _milliseconds(text: str, part: int) -> float:
    number, unit = re.findall(rf"{part}%\s+([\d.]+)(us|ms|s)", text)[0]
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


if __name__ == "__main__":
    main()
