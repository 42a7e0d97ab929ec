"""The examples for Dagster, Airflow and OpenLineage, in virtual environments of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from elute.settings import CHECKOUT
from tests.integration.conftest import Laboratory
from tests.receiver import receiving

EXAMPLES = CHECKOUT / "docs" / "examples"
LIMIT = 900  # seconds; much longer than anything takes


@pytest.fixture
def shell(built: Laboratory) -> dict[str, str]:
    """The variables of a shell that has read what `elute env` prints, and Python's as they were."""
    return {**built.exported(), "PYTHONPATH": ""}


@pytest.fixture(scope="module")
def beside_dbt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of those that need a dbt in their own environment."""
    adapter = str(CHECKOUT / "packages" / "dbt-pgcopy")
    # dbt-core 1.12 asks for a parser that has to be built from what is downloaded elsewhere.
    packages = ("dagster-dbt==0.29.27", "openlineage-dbt==1.54.0", "dbt-core<1.12", adapter)
    return installed(tmp_path_factory.mktemp("beside-dbt") / "venv", *packages)


def installed(venv: Path, *packages: str) -> Path:
    """The programs of a new environment with these packages."""
    python = str(venv / "bin" / "python")
    uv = (str(Path(sys.executable).with_name("uv")), "--quiet", "--system-certs")
    by_uv = (
        (*uv, "venv", "--clear", "--python", sys.executable, str(venv)),
        (*uv, "pip", "install", "--python", python, *packages),
    )
    by_pip = (
        (sys.executable, "-m", "venv", "--clear", str(venv)),
        (python, "-m", "pip", "install", "--quiet", "--no-compile", *packages),
    )
    for commands in (by_uv, by_pip):  # That takes ten times as long, but knows pip's settings.
        if all(
            subprocess.run(each, check=False, timeout=LIMIT).returncode == 0 for each in commands
        ):
            return venv / "bin"
    pytest.fail("neither uv nor pip could install it; what they said is above")


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


def assert_published(laboratory: Laboratory) -> None:
    """One build more is there than the one it had, and has all users."""
    assert laboratory.rows(
        "select (select max(build) from builds.publications) as build, count(*) as user_count "
        "from marts.user_summary"
    ) == [{"build": 2, "user_count": 14}]


def test_dagster(
    tmp_path: Path, beside_dbt: Path, built: Laboratory, shell: dict[str, str]
) -> None:
    path = f"{beside_dbt}{os.pathsep}{shell['PATH']}"
    example = EXAMPLES / "dagster" / "definitions.py"
    said = run(
        {**shell, "PATH": path, "DAGSTER_HOME": str(tmp_path)},
        *(beside_dbt / "dagster", "job", "execute", "-f", example, "-j", "build"),
    )
    assert "Materialized value marts user_summary" in said
    assert_published(built)


def test_airflow(tmp_path: Path, built: Laboratory, shell: dict[str, str]) -> None:
    programs = installed(tmp_path / "venv", "apache-airflow==3.3.2", "astronomer-cosmos==1.15.1")
    environment = {
        **shell,
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(EXAMPLES / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "DO_NOT_TRACK": "1",
    }
    run(environment, programs / "airflow", "db", "migrate")
    run(environment, programs / "airflow", "dags", "test", "elute_build")
    assert_published(built)


def test_openlineage(beside_dbt: Path, built: Laboratory, shell: dict[str, str]) -> None:
    assert built.dbt("build").returncode == 0
    send = ("send-events", "--project-dir", shell["DBT_PROJECT_DIR"], "--target", "openlineage")
    with receiving(201) as receiver:
        run({**shell, "OPENLINEAGE_URL": receiver.url}, beside_dbt / "dbt-ol", *send)
    events = [json.loads(request.body) for request in receiver.received]
    [summary] = [
        event
        for event in events
        if event["eventType"] == "COMPLETE" and "user_summary.build.run" in event["job"]["name"]
    ]
    assert [output["name"] for output in summary["outputs"]] == [
        f"{shell['PGDATABASE']}.marts.user_summary"
    ]
    sources = {source["name"] for source in summary["inputs"]}
    assert f"{shell['PGDATABASE']}.intermediate.int_users_kept" in sources
