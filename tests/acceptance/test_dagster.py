"""The example for Dagster: the dbt project as it is, in a virtual environment of its own."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg2

from elute.settings import CHECKOUT
from tests.service import Service, serving, until

EXAMPLE = CHECKOUT / "docs" / "examples" / "dagster" / "definitions.py"
# dbt-core 1.12 asks for a parser that pip has to build from what it downloads elsewhere.
PACKAGES = ("dagster-dbt==0.29.27", "dbt-core<1.12", str(CHECKOUT / "packages" / "dbt-pgcopy"))
LIMIT = 900  # seconds; much longer than anything takes


def exported(service: Service) -> dict[str, str]:
    """The variables of a shell that has read what `elute env` prints."""
    elute = [sys.executable, "-m", "elute.cli", "env"]
    lines = subprocess.check_output(elute, env=service.environment, cwd=CHECKOUT, text=True)
    shell = ["bash", "-c", f"{lines}\nexec env -0"]
    said = subprocess.check_output(shell, env=service.environment)
    return dict(line.split("=", 1) for line in os.fsdecode(said).split("\0") if line)


def test_it_builds_and_publishes(tmp_path: Path) -> None:
    venv, home = tmp_path / "venv", tmp_path / "dagster"
    home.mkdir()
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True, timeout=LIMIT)
    install = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", *PACKAGES]
    subprocess.run(install, check=True, timeout=LIMIT)
    with serving() as service:
        until(lambda: service.ask("GET", "/health/ready").status == 200)
        environment = {**exported(service), "DAGSTER_HOME": str(home)}
        environment.pop("PYTHONPATH")
        environment["PATH"] = f"{venv / 'bin'}{os.pathsep}{environment['PATH']}"
        command = [
            str(venv / "bin" / "dagster"),
            "job",
            "execute",
            "-f",
            str(EXAMPLE),
            "-j",
            "build",
        ]
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, env=environment, timeout=LIMIT
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Materialized value marts user_summary" in done.stdout + done.stderr
        with psycopg2.connect(**service.parameters) as session, session.cursor() as cursor:
            cursor.execute("select count(*) from builds.publications")
            assert cursor.fetchone() == (2,)
        assert len(service.ask("GET", "/builds/2/marts/user_summary").json) == 14
