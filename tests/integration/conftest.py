"""A laboratory to build: a folder for its files, and a database for its tables."""

import csv
import io
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

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
from tests.warm_elute import Command, WarmElute, warm_elute

Completed: TypeAlias = "subprocess.CompletedProcess[str]"
LIMIT = 300  # seconds for one command; much longer than any takes
QUICKER = ("--no-write-json", "--exclude-resource-type", "unit_test")
SCHEMAS = ("raw", "staging", "intermediate", "marts", "builds")
MARTS = (
    "user_summary",
    "user_top_compounds",
    "compound_usage",
    "experiment_stats",
    "data_issues",
    "input_summary",
)
# Of a build too, to explain its marts, but kept for the newest two only.
EXPLAINING = ("int_user_compounds_counted", "int_experiments_validated")
EXPLAINING_VIEWS = ("int_experiments_kept", "int_experiments_unnested_to_compounds")


class Laboratory:
    """Files, a home, and a database of their own; builds are real `elute build` processes.

    Attributes:
        environment: the variables that a build gets.
    """

    def __init__(self, home: Path, connection: dict[str, Any], warm: WarmElute) -> None:
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

    def build(self, *options: str, **variables: str) -> Completed:
        """Run `elute build` and return it, whatever its status.

        Without unit tests, which know nothing of the files, and dbt's artifacts, which nobody
        reads: they take a third of the time.
        """
        return self.elute("build", *QUICKER, *options, **variables)

    def elute(self, *arguments: str, **variables: str) -> Completed:
        """Run an `elute` command."""
        environment = {**self.environment, **variables}
        if self._warm.can_run(variables):
            return self._warm.run(["elute", *arguments], self.files, environment, LIMIT)
        return subprocess.run(
            [*COMMAND, *arguments],
            check=False,
            capture_output=True,
            text=True,
            cwd=self.files,
            env=environment,
            timeout=LIMIT,
        )

    def start_build(self, output: int, **variables: str) -> Command:
        """Start such a build, which writes to that file."""
        environment = {**self.environment, **variables}
        command = ["elute", "build", *QUICKER]
        return self._warm.start(command, self.files, environment, (output, output), LIMIT)

    def dbt(self, *arguments: str, **variables: str) -> Completed:
        """Run plain `dbt`, with what `elute env` prints and these variables."""
        environment = {**self.exported(), **variables}
        return self._warm.run(["dbt", *arguments], self.files, environment, LIMIT)

    def exported(self, **variables: str) -> dict[str, str]:
        """The variables of a shell that has read what `elute env` prints."""
        exports = self.elute("env", **variables).stdout
        shell = ["bash", "-c", f"{exports}\nexec env -0"]
        said = subprocess.check_output(shell, env=self.environment)
        return dict(line.split("=", 1) for line in os.fsdecode(said).split("\0") if line)

    def session(self) -> closing[Any]:
        """A session with its database."""
        return closing(psycopg2.connect(**self._connection))

    def rows(self, query: str) -> list[dict[str, Any]]:
        """The result of a query, a dict for each row."""
        with self.session() as session, session.cursor() as cursor:
            cursor.execute(query)
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def user_summary_as_csv(self) -> str:
        """The mart as a file, by `user_id`."""
        rows = self.rows("select * from marts.user_summary order by user_id")
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()

    def marts(self) -> dict[str, list[str]]:
        """Every row of every mart as text, sorted."""
        return {
            mart: sorted(
                row["row"] for row in self.rows(f"select t::text as row from marts.{mart} t")
            )
            for mart in MARTS
        }

    def write_only(self, files: Mapping[str, bytes]) -> None:
        """Have these files and no others."""
        for path in self.files.iterdir():
            path.unlink()
        self.write(files)

    def clear(self) -> None:
        """Forget all files and tables."""
        self.write_only({})
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
        names = {"source": sql.Identifier(source), "target": sql.Identifier(target)}
        cursor.execute(sql.SQL("alter database {source} allow_connections false").format(**names))
        cursor.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [source]
        )
        cursor.execute(sql.SQL("create database {target} template {source}").format(**names))
        cursor.execute(sql.SQL("alter database {source} allow_connections true").format(**names))


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


BuildSample = Callable[[], Completed]


@pytest.fixture(scope="session")
def build_sample(
    one_laboratory: Laboratory, connection_parameters: dict[str, Any]
) -> Iterator[BuildSample]:
    """Give the laboratory the sample and what a build makes of it: built once, and then copied.

    Returns that one build. Whoever has a session with the laboratory's database loses it.
    """
    name = one_laboratory.environment["PGDATABASE"]
    kept = f"{name}_built"
    results: list[Completed] = []

    def build() -> Completed:
        if results:
            one_laboratory.write_only(SAMPLE)
            copy_database(connection_parameters, kept, name)
        else:
            copy_database(connection_parameters, "template0", name)
            one_laboratory.write_only(SAMPLE)
            results.append(one_laboratory.elute("build"))
            assert results[0].returncode == 0, results[0].stderr
            copy_database(connection_parameters, name, kept)
        return results[0]

    yield build
    with admin_session(connection_parameters) as session:
        drop_database(session, kept)


@pytest.fixture
def laboratory(one_laboratory: Laboratory) -> Laboratory:
    """A laboratory with the sample files and an empty database."""
    one_laboratory.clear()
    one_laboratory.write(SAMPLE)
    return one_laboratory


@pytest.fixture
def built(one_laboratory: Laboratory, build_sample: BuildSample) -> Laboratory:
    """A laboratory with the sample files and what a build makes of them."""
    build_sample()
    return one_laboratory
