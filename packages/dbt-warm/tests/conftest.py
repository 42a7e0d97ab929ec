"""A small dbt project on a PostgreSQL server, which PGHOST and the other PG* variables name."""

import os
import select
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2 import sql

LIMIT = 60.0  # seconds; much longer than anything takes


class Project:
    """A copy of the project in a folder of its own, with a schema of its own.

    Attributes:
        folder: of the project and of its profile.
        environment: all variables for dbt.
        schema: and the name of dbt's sessions.
    """

    def __init__(self, folder: Path, schema: str) -> None:
        self.folder, self.schema = folder, schema
        shutil.copytree(Path(__file__).with_name("project"), folder)
        self.environment = {
            **{name: text for name, text in os.environ.items() if not name.startswith("DBT_")},
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "0",
            "DBT_TARGET_PATH": str(folder / "target"),
            "DBT_LOG_PATH": str(folder / "logs"),
            "SHOP_SCHEMA": schema,
        }
        self.session = psycopg2.connect("")
        self.session.autocommit = True

    def query(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with self.session.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def sleeping(self) -> int:
        """How many of dbt's sessions are in `pg_sleep`."""
        [(count,)] = self.query(
            "select count(*) from pg_stat_activity"
            " where application_name = %s and wait_event = 'PgSleep'",
            self.schema,
        )
        return int(count)

    def until(self, condition: Callable[[], Any]) -> Any:
        """Wait until the condition gives something true, and return that."""
        deadline = time.monotonic() + LIMIT
        while not (found := condition()):
            assert time.monotonic() < deadline, "it took too long"
            select.select([], [], [], 0.05)
        return found


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    if not os.environ.get("PGHOST"):
        pytest.fail("these tests need a PostgreSQL server: set PGHOST, or use run_tests.sh")
    folder = tmp_path_factory.mktemp("tests") / "shop"
    project = Project(folder, f"shop_{os.getpid()}_{folder.parent.name}")
    with closing(project.session):
        yield project
        name = sql.Identifier(project.schema)
        project.session.cursor().execute(sql.SQL("drop schema if exists {} cascade").format(name))
