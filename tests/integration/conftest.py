"""A laboratory to build: a folder for its files, and a database for its tables."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2 import sql

from elute.settings import CHECKOUT
from tests.conftest import (
    COMMAND,
    SAMPLE,
    admin_session,
    drop_database,
    own_database,
    without_settings,
)
from tests.warm_elute import WarmElute, warm_elute

LIMIT = 300  # seconds for one command; much longer than any takes
SCHEMAS = ("raw", "staging", "intermediate", "marts", "builds")
MARTS = (
    "user_summary",
    "user_top_compounds",
    "compound_usage",
    "experiment_stats",
    "data_issues",
    "input_summary",
)


class Laboratory:
    """Files, a home, and a database of their own; builds are real `elute build` processes.

    Attributes:
        environment: the variables that a build gets.
    """

    def __init__(
        self, home: Path, connection: dict[str, Any], warm: WarmElute | None = None
    ) -> None:
        self.files, self._connection, self._warm = home / "files", connection, warm
        self.files.mkdir()
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(CHECKOUT),
            "PGDATABASE": connection["dbname"],
            "ELUTE_HOME": str(home),
            "ELUTE_SEEDS_DIR": str(self.files),
            "COLUMNS": "200",
        }

    def write(self, files: Mapping[str, bytes]) -> None:
        """Replace these files."""
        for name, content in files.items():
            (self.files / name).write_bytes(content)

    def build(self, *options: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run `elute build` and return it, whatever its status."""
        return self.elute("build", *options, **variables)

    def elute(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run an `elute` command."""
        if self._warm and self._warm.can_run(variables):
            environment = {**self.environment, **variables}
            return self._warm.run(["elute", *arguments], self.files, environment, LIMIT)
        return self._run(*COMMAND, *arguments, **variables)

    def dbt(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run plain `dbt`, with what `elute env` prints."""
        script = f'eval "$({sys.executable} -m elute.cli env)" && exec "$@"'
        return self._run("bash", "-c", script, "bash", "dbt", *arguments)

    def _run(self, *command: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            cwd=self.files,
            env={**self.environment, **variables},
            timeout=LIMIT,
        )

    def session(self) -> closing[Any]:
        """A session with its database."""
        return closing(psycopg2.connect(**self._connection))

    def rows(self, query: str) -> list[dict[str, Any]]:
        """The result of a query, a dict for each row."""
        with self.session() as session, session.cursor() as cursor:
            cursor.execute(query)
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def marts(self) -> dict[str, list[str]]:
        """Every row of every mart as text, sorted."""
        return {
            mart: sorted(
                row["row"] for row in self.rows(f"select t::text as row from marts.{mart} t")
            )
            for mart in MARTS
        }

    def clear(self) -> None:
        """Forget all files and tables."""
        for path in self.files.iterdir():
            path.unlink()
        with self.session() as session:
            for schema in SCHEMAS:
                session.cursor().execute(
                    sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(schema))
                )
            session.commit()


def copy_database(server: dict[str, Any], source: str, target: str) -> None:
    """Make one database of the server a copy of another; both lose their sessions."""
    with admin_session(server) as session:
        cursor = session.cursor()
        drop_database(session, target)
        cursor.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [source]
        )
        cursor.execute(
            sql.SQL("create database {} template {}").format(
                sql.Identifier(target), sql.Identifier(source)
            )
        )


@pytest.fixture(scope="session")
def warm() -> Iterator[WarmElute]:
    with warm_elute(without_settings()) as warm:
        yield warm


@pytest.fixture(scope="session")
def one_laboratory(
    connection_parameters: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
    warm: WarmElute,
) -> Iterator[Laboratory]:
    # One for all tests: dbt parses the project anew for another folder or database.
    with own_database(connection_parameters, "laboratory") as parameters:
        yield Laboratory(tmp_path_factory.mktemp("laboratory"), parameters, warm)


BuildSample = Callable[[], None]


@pytest.fixture(scope="session")
def build_sample(
    one_laboratory: Laboratory, connection_parameters: dict[str, Any]
) -> Iterator[BuildSample]:
    """Give the laboratory the sample and what a build makes of it: built once, and then copied.

    Whoever has a session with its database loses it.
    """
    name = one_laboratory.environment["PGDATABASE"]
    kept: list[str] = []

    def build() -> None:
        one_laboratory.clear()
        one_laboratory.write(SAMPLE)
        if kept:
            copy_database(connection_parameters, kept[0], name)
        else:
            result = one_laboratory.build()
            assert result.returncode == 0, result.stderr
            copy_database(connection_parameters, name, f"{name}_built")
            kept.append(f"{name}_built")

    yield build
    with admin_session(connection_parameters) as session:
        for copy in kept:
            drop_database(session, copy)


@pytest.fixture
def laboratory(one_laboratory: Laboratory) -> Laboratory:
    """A laboratory with the sample files and an empty database."""
    one_laboratory.clear()
    one_laboratory.write(SAMPLE)
    return one_laboratory
