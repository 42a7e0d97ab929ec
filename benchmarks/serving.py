"""Measure what the service serves: large answers against psql, small ones against pandas.

    ELUTE_HOME=/tmp/elute-benchmark ./run_app.sh env   # once, to set up; then, in the checkout:
    "$ELUTE_HOME/venv-tests-3.11/bin/python" -m benchmarks.serving [--users 1000000] [--rounds 3]

Makes a database of its own, `benchmark_serving`, with that many users in marts.user_summary, and
starts the web app as `elute serve` does. Large answers and psql take turns. Small
ones are asked for by 16 clients, with `wrk` if it is installed and a plain generator if not, in
turns with benchmarks/pandas_route.py, the route to compare with: under the same server, with a
connection for each request and with pooled ones. Prints tables and writes JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2

from benchmarks.clients import hammer
from elute.commands.tables import table
from elute.database import schema
from elute.environment import environment
from elute.settings import CHECKOUT, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

DATABASE = "benchmark_serving"
CLIENTS = 16
FORMS = {
    "JSON": "application/json",
    "NDJSON": "application/x-ndjson",
    "CSV": "text/csv",
}
# In the order of the key, as a build leaves it.
_USERS = """
create table builds.user_summary_measured as
select
    number as user_id,
    'User number ' || number as name,
    'user' || number || '@lab.example' as email,
    date '2020-01-01' + (number %% 1500)::int as signup_date,
    number %% 37 as experiment_count,
    trim_scale(round((number %% 100000)::numeric / 7, 4)) as avg_experiment_run_time,
    number %% 500 as compound_id,
    'Compound ' || number %% 500 as compound_name,
    'C' || number %% 40 || 'H' || number %% 60 as compound_structure
from generate_series(1::bigint, %s) as number;
alter table builds.user_summary_measured add primary key (user_id);
analyze builds.user_summary_measured;
create view marts.user_summary as select * from builds.user_summary_measured;
insert into builds.publications (invocation_id, options, files, tables)
values (
    'benchmark',
    '{}',
    '{}',
    '{
        "user_summary": {
            "schema": "builds", "table": "user_summary_measured", "view_schema": "marts",
            "description": "", "meta": {}, "column_meta": {}
        }
    }'
);
"""
_AS_JSON = "copy (select row_to_json(u) from marts.user_summary as u order by user_id) to stdout"


def main() -> None:
    """Measure, print, and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5, help="of each load")
    options = parser.parse_args()
    settings = Settings.from_environment()
    variables = {**os.environ, **environment(settings), "PGDATABASE": DATABASE}
    variables["PYTHONPATH"] = str(CHECKOUT)
    fill(variables, options.users)
    output = settings.home / "benchmark-serving"
    output.mkdir(parents=True, exist_ok=True)
    result = {
        "users": options.users,
        "large": large(variables, output, options.rounds),
        "small": small(variables, options.seconds, options.users, options.rounds),
    }
    show(result)
    (output / "serving.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"\nwritten to {output / 'serving.json'}")


def fill(variables: dict[str, str], users: int) -> None:
    """Make the database and its mart."""
    with closing(psycopg2.connect(**_server(variables, "postgres"))) as session:
        session.autocommit = True
        session.cursor().execute(f"drop database if exists {DATABASE} with (force)")
        session.cursor().execute(f"create database {DATABASE}")
    schema.upgrade(variables)
    with closing(psycopg2.connect(**_server(variables, DATABASE))) as session, session:
        session.cursor().execute(_USERS, [users])


def large(variables: dict[str, str], output: Path, rounds: int) -> list[dict[str, Any]]:
    """Every user in each form, and psql writing them as JSON, in turns; medians."""
    file = output / "answer"
    psql: list[float] = []
    seconds: dict[str, list[float]] = {form: [] for form in FORMS}
    sizes: dict[str, int] = {}
    with serving("dashboard.server", variables) as (port, pid):
        ask(port, "/etl-results?limit=1", "application/json", file)
        before = memory(pid)
        peaks = dict.fromkeys(FORMS, 0)
        for _ in range(rounds):
            psql.append(timed(["psql", "-qAtX", "-o", str(file), "-c", _AS_JSON], variables))
            psql_size = file.stat().st_size
            for form, media_type in FORMS.items():
                seconds[form].append(ask(port, "/etl-results", media_type, file))
                sizes[form] = file.stat().st_size
                peaks[form] = max(peaks[form], memory(pid))
    rate = psql_size / statistics.median(psql)
    rows = [{"what": "psql, JSON", "seconds": statistics.median(psql), "bytes": psql_size}]
    for form in FORMS:
        median = statistics.median(seconds[form])
        rows.append(
            {
                "what": form,
                "seconds": median,
                "bytes": sizes[form],
                "bytes_of_psql": sizes[form] / median / rate,
                "rows_of_psql": statistics.median(psql) / median,
                "memory_growth": peaks[form] - before,
            }
        )
    return rows


def small(variables: dict[str, str], seconds: int, users: int, rounds: int) -> list[dict[str, Any]]:
    """One user, and a page of 50, from the service and from the route with pandas; medians."""
    one, page = users // 2, f"limit=50&offset={users // 2000}"
    routes = {
        "elute": ("dashboard.server", f"/etl-results/{one}", f"/etl-results?{page}", "0"),
        "pandas": ("benchmarks.pandas_route", f"/users/{one}", f"/users?{page}", "0"),
        "pandas, pooled": ("benchmarks.pandas_route", f"/users/{one}", f"/users?{page}", "1"),
    }
    with ExitStack() as stack:
        asked = []
        for name, (module, one_path, page_path, pooled) in routes.items():
            pooling = {**variables, "PANDAS_ROUTE_POOLED": pooled}
            port, _ = stack.enter_context(serving(module, pooling))
            asked.append(("one user", name, port, one_path))
            asked.append(("page of 50", name, port, page_path))
        asked.sort()  # The same thing by each, one after the other.
        for _, _, port, path in asked:
            load(port, path, 1)  # Connections opened, modules imported.
        loads: dict[tuple[str, str], list[dict[str, float]]] = {each[:2]: [] for each in asked}
        for _ in range(rounds):
            for what, name, port, path in asked:
                loads[what, name].append(load(port, path, seconds))
    rows: list[dict[str, Any]] = [
        {
            "what": what,
            "route": name,
            "rounds": taken,
            **{key: statistics.median(each[key] for each in taken) for key in taken[0]},
        }
        for (what, name), taken in loads.items()
    ]
    for row in rows:
        [ours] = [each for each in rows if (each["what"], each["route"]) == (row["what"], "elute")]
        row["elute_times_faster"] = ours["requests_per_second"] / row["requests_per_second"]
    return rows


def load(port: int, path: str, seconds: int) -> dict[str, float]:
    """Ask for the same by CLIENTS clients for so long; requests a second and milliseconds."""
    url = f"http://127.0.0.1:{port}{path}"
    if not shutil.which("wrk"):
        return hammer(url, CLIENTS, seconds)
    command = ["wrk", "-t1", f"-c{CLIENTS}", f"-d{seconds}s", "--latency", url]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in text:
        sys.exit(f"{url} fails:\n{text}")
    rate = float(re.findall(r"Requests/sec:\s+([\d.]+)", text)[0])
    return {
        "requests_per_second": rate,
        **{f"p{part}": _milliseconds(text, part) for part in (50, 99)},
    }


@contextmanager
def serving(module: str, variables: dict[str, str]) -> Iterator[tuple[int, int]]:
    """An app under the server that `elute serve` has; its port, and the id of its process."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [sys.executable, "-m", module, "--socket", str(listener.fileno())]
        process = subprocess.Popen(command, env=variables, pass_fds=[listener.fileno()])
        with process:
            port = listener.getsockname()[1]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{_known(module)}"):
                pass
            try:
                yield port, process.pid
            finally:
                process.terminate()


def _known(module: str) -> str:
    return "health/live" if module.startswith(("api.", "dashboard.")) else "users/1"


def ask(port: int, path: str, media_type: str, file: Path) -> float:
    """Fetch an answer into a file, with curl; seconds."""
    header, url = f"Accept: {media_type}", f"http://127.0.0.1:{port}{path}"
    return timed(["curl", "-sSf", "-H", header, "-o", str(file), url], dict(os.environ))


def timed(command: list[str], variables: dict[str, str]) -> float:
    """Run a command; seconds."""
    start = time.perf_counter()
    subprocess.run(command, check=True, env=variables)
    return time.perf_counter() - start


def memory(pid: int) -> int:
    """The most bytes that a process has held at once."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) * 1024


def show(result: dict[str, Any]) -> None:
    """Print both tables."""
    megabyte = 1e6
    rows = [
        (
            row["what"],
            f"{row['seconds']:.1f} s",
            f"{row['bytes'] / megabyte:.0f} MB",
            f"{row['bytes'] / megabyte / row['seconds']:.0f} MB/s",
            f"{row.get('bytes_of_psql', 1):.2f}",
            f"{row.get('rows_of_psql', 1):.2f}",
            f"{row['memory_growth'] / megabyte:.0f} MB" if "memory_growth" in row else "",
        )
        for row in result["large"]
    ]
    names = ["form", "time", "size", "rate", "bytes / psql", "rows / psql", "API's memory grew by"]
    print(f"{result['users']:,} users\n\n{table(names, rows)}\n")
    loads = [
        (
            row["what"],
            row["route"],
            f"{row['requests_per_second']:.0f}",
            f"{row['p50']:.1f} ms",
            f"{row['p99']:.1f} ms",
            f"{row['elute_times_faster']:.1f}",
        )
        for row in result["small"]
    ]
    print(table(["request", "route", "a second", "p50", "p99", "Elute is times faster"], loads))


def _server(variables: dict[str, str], database: str) -> dict[str, Any]:
    return {
        "host": variables["PGHOST"],
        "port": variables["PGPORT"],
        "user": variables["PGUSER"],
        "password": variables["PGPASSWORD"],
        "dbname": database,
    }


def _milliseconds(text: str, part: int) -> float:
    number, unit = re.findall(rf"{part}%\s+([\d.]+)(us|ms|s)", text)[0]
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


if __name__ == "__main__":
    main()
