"""The examples for Dagster, Airflow and OpenLineage, each in a virtual environment of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from elute.settings import CHECKOUT
from tests.receiver import receiving
from tests.service import Service, serving, until

EXAMPLES = CHECKOUT / "docs" / "examples"
# dbt-core 1.12 asks for a parser that has to be built from what is downloaded elsewhere.
DBT = "dbt-core<1.12"
LIMIT = 900  # seconds; much longer than anything takes


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with serving() as service:
        until(lambda: service.ask("GET", "/health/ready").status == 200)
        yield service


@pytest.fixture(scope="module")
def shell(service: Service) -> dict[str, str]:
    """The variables of a shell that has read what `elute env` prints."""
    elute = [sys.executable, "-m", "elute.cli", "env"]
    lines = subprocess.check_output(elute, env=service.environment, cwd=CHECKOUT, text=True)
    command = ["bash", "-c", f"{lines}\nexec env -0"]
    said = subprocess.check_output(command, env=service.environment)
    found = dict(line.split("=", 1) for line in os.fsdecode(said).split("\0") if line)
    del found["PYTHONPATH"]
    return found


def installed(venv: Path, *packages: str) -> Path:
    """The programs of a new environment with these packages."""
    uv, python = shutil.which("uv"), str(venv / "bin" / "python")
    if uv:
        make = [uv, "venv", "--quiet", "--python", sys.executable, str(venv)]
        install = [uv, "pip", "install", "--quiet", "--python", python, *packages]
    else:
        make = [sys.executable, "-m", "venv", str(venv)]
        install = [python, "-m", "pip", "install", "--quiet", *packages]
    for command in (make, install):
        subprocess.run(command, check=True, timeout=LIMIT)
    return venv / "bin"


def run(environment: Mapping[str, str], program: Path | str, *arguments: Path | str) -> str:
    """All that a program says that ends well."""
    command = [str(program), *map(str, arguments)]
    done = subprocess.run(
        command,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        timeout=LIMIT,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def newest_build(service: Service) -> int:
    return int(service.ask("GET", "/builds").json["builds"][0]["build"])


def assert_published(service: Service, before: int) -> None:
    """One build more is there, and has all users."""
    assert newest_build(service) == before + 1
    assert len(service.ask("GET", f"/builds/{before + 1}/marts/user_summary").json) == 14


def test_dagster(tmp_path: Path, service: Service, shell: dict[str, str]) -> None:
    adapter = str(CHECKOUT / "packages" / "dbt-pgcopy")
    programs = installed(tmp_path / "venv", "dagster-dbt==0.29.27", DBT, adapter)
    path = f"{programs}{os.pathsep}{shell['PATH']}"
    (home := tmp_path / "dagster").mkdir()
    before = newest_build(service)
    example = EXAMPLES / "dagster" / "definitions.py"
    said = run(
        {**shell, "PATH": path, "DAGSTER_HOME": str(home)},
        *(programs / "dagster", "job", "execute", "-f", example, "-j", "build"),
    )
    assert "Materialized value marts user_summary" in said
    assert_published(service, before)


def test_airflow(tmp_path: Path, service: Service, shell: dict[str, str]) -> None:
    programs = installed(tmp_path / "venv", "apache-airflow==3.3.2", "astronomer-cosmos==1.15.1")
    environment = {
        **shell,
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(EXAMPLES / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "DO_NOT_TRACK": "1",
    }
    run(environment, programs / "airflow", "db", "migrate")
    before = newest_build(service)
    run(environment, programs / "airflow", "dags", "test", "elute_build")
    assert_published(service, before)


def test_openlineage(tmp_path: Path, shell: dict[str, str]) -> None:
    run(shell, "dbt", "build")
    programs = installed(tmp_path / "venv", "openlineage-dbt==1.54.0", DBT)
    send = ("send-events", "--project-dir", shell["DBT_PROJECT_DIR"], "--target", "openlineage")
    with receiving(201) as receiver:
        run({**shell, "OPENLINEAGE_URL": receiver.url}, programs / "dbt-ol", *send)
    events = [json.loads(request.body) for request in receiver.received]
    [summary] = [
        event
        for event in events
        if event["eventType"] == "COMPLETE" and "user_summary.build.run" in event["job"]["name"]
    ]
    assert [output["name"] for output in summary["outputs"]] == ["postgres.marts.user_summary"]
    sources = {source["name"] for source in summary["inputs"]}
    assert "postgres.intermediate.int_users_kept" in sources
