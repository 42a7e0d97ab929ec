"""Fixtures that every kind of test may use."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from postgres_here import Server
from psycopg2 import sql
from psycopg2.extensions import connection

from elute.settings import CHECKOUT, VARIABLES, Settings

Elute = Callable[..., "subprocess.CompletedProcess[str]"]
# The interpreter and the code under test, installed or not.
COMMAND = (sys.executable, "-c", "import sys; from elute.cli import main; sys.exit(main())")
SAMPLE = {path.name: path.read_bytes() for path in (CHECKOUT / "seeds").glob("*.csv")}


def without_settings() -> dict[str, str]:
    """Our environment without any setting."""
    ours = {variable.name for variable in VARIABLES}
    return {name: text for name, text in os.environ.items() if name not in ours}


@contextmanager
def admin_session(parameters: dict[str, Any]) -> Iterator[connection]:
    """A session that may make and drop databases."""
    with closing(psycopg2.connect(**parameters)) as session:
        session.autocommit = True
        yield session


@contextmanager
def own_database(parameters: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    """A new database on the server with these parameters, and the parameters for it."""
    name = f"elute_{name}_{os.getpid()}"
    with admin_session(parameters) as session:
        session.cursor().execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        yield {**parameters, "dbname": name}
        drop_database(session, name)


def drop_database(session: connection, name: str) -> None:
    """Drop a database if there is one of that name, and end its sessions."""
    session.cursor().execute(
        sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
    )


@pytest.fixture(scope="session")
def connection_parameters() -> dict[str, str]:
    """Arguments for `psycopg2.connect` to the server that PG* names."""
    if not os.environ.get("PGHOST"):
        pytest.fail("no server to test on: run ./run_tests.sh, or set PGHOST and what goes with it")
    settings = Settings.from_environment()
    return {
        "host": os.environ["PGHOST"],
        "port": str(settings.port),
        "user": settings.user,
        "password": settings.password,
        "dbname": settings.database,
    }


@contextmanager
def new_home() -> Iterator[Path]:
    """An empty ELUTE_HOME, awkwardly named; the server that is started in it is stopped."""
    # Not tmp_path: only root may enter that, and root's server runs as another account.
    parent = Path(tempfile.mkdtemp(prefix="elute-test-", dir=os.environ.get("SCRATCH_DIR")))
    parent.chmod(0o711)
    home = parent / "it's Élutes home"
    home.mkdir()
    try:
        yield home
    finally:
        server = Server(home / "postgres")
        server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)  # It may be elsewhere.
        shutil.rmtree(parent)


@pytest.fixture
def own_home() -> Iterator[Path]:
    """A home for one test."""
    with new_home() as home:
        yield home


@pytest.fixture
def own_environment(own_home: Path) -> dict[str, str]:
    """Our environment without any setting, but with that ELUTE_HOME."""
    return {**without_settings(), "ELUTE_HOME": str(own_home)}


@pytest.fixture
def elute(own_environment: dict[str, str]) -> Elute:
    """Run an `elute` command in a process of its own, with that environment and these changes."""

    def run(*arguments: str, **changes: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*COMMAND, *arguments],
            check=False,
            capture_output=True,
            text=True,
            cwd="/",
            env={**own_environment, "PYTHONPATH": str(CHECKOUT), **changes},
            timeout=60,
        )

    return run
