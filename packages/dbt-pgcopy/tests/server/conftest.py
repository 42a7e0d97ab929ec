"""Tests that run dbt on a PostgreSQL server, which PGHOST and the other PG* variables name."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import yaml
from dbt.parser.manifest import ManifestLoader

# Not by pytest_plugins, which pytest allows in the outermost conftest only.
from dbt.tests.fixtures.project import *  # noqa: F403
from psycopg2 import sql

HERE = Path(__file__).parent
# Warnings that are dbt's and not ours to mend: its test classes share what pytest means to part,
# and it leaves log files and pools of threads to the garbage collector.
DBT_WARNINGS = (
    "ignore:.*-scoped fixtures defined as instance methods:pytest.PytestRemovedIn10Warning",
)
DBT_LITTER = (
    "ignore:.*dbt\\.log.*:pytest.PytestUnraisableExceptionWarning",
    "ignore:.*Pool.__del__.*:pytest.PytestUnraisableExceptionWarning",
)


def pytest_configure(config: pytest.Config) -> None:
    # The collector may come while any test runs.
    for warning in DBT_LITTER:
        config.addinivalue_line("filterwarnings", warning)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.usefixtures("server"))
            for warning in DBT_WARNINGS:
                item.add_marker(pytest.mark.filterwarnings(warning))


@pytest.fixture(scope="session")
def server() -> None:
    if not os.environ.get("PGHOST"):
        pytest.fail("these tests need a PostgreSQL server: set PGHOST, or use run_tests.sh")


def profile_target() -> dict[str, object]:
    return {
        "type": "pgcopy",
        "threads": 4,
        "host": os.environ["PGHOST"],
        "port": int(os.environ.get("PGPORT", "5432")),
        "user": os.environ.get("PGUSER", "postgres"),
        "password": os.environ.get("PGPASSWORD", ""),
        "dbname": os.environ.get("PGDATABASE", "postgres"),
    }


@pytest.fixture(scope="class")
def dbt_profile_target(server: None) -> dict[str, object]:
    return profile_target()


@pytest.fixture(scope="session")
def schema(worker: str) -> str:
    """The schema of every class: what dbt has parsed for one, it would parse anew for another."""
    return f"dbt_pgcopy_{worker}"


@pytest.fixture(scope="class")
def unique_schema(schema: str) -> Iterator[str]:
    """That schema; it goes with the class, and so does every one whose name begins like its own."""
    yield schema
    with closing(psycopg2.connect("")) as session, session, session.cursor() as cursor:
        cursor.execute("select nspname from pg_namespace where starts_with(nspname, %s)", [schema])
        for (name,) in cursor.fetchall():
            cursor.execute(sql.SQL("drop schema {} cascade").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def parsed(tmp_path_factory: pytest.TempPathFactory, schema: str) -> Path:
    """What dbt keeps of parsing a project in which there is nothing: its own macros, and ours."""
    folder = tmp_path_factory.mktemp("nothing")
    project = {"name": "test", "profile": "test", "flags": {"send_anonymous_usage_stats": False}}
    target = profile_target() | {"schema": schema}
    profiles = {"test": {"target": "default", "outputs": {"default": target}}}
    for name, content in (("dbt_project.yml", project), ("profiles.yml", profiles)):
        (folder / name).write_text(yaml.safe_dump(content), encoding="utf-8")
    command = [sys.executable, "-c", "from dbt.cli.main import cli; cli()", "parse", "--quiet"]
    subprocess.run(command, check=True, cwd=folder)
    return folder / "target" / "partial_parse.msgpack"


@pytest.fixture(scope="class")
def project_root(tmpdir_factory: pytest.TempdirFactory, parsed: Path) -> Any:
    """A folder for a project in which its own macros are parsed, which is most of dbt's time here.

    dbt itself looks whether that holds, and parses all for a project of another configuration.
    """
    root = tmpdir_factory.mktemp("project")
    shutil.copy(parsed, root.mkdir("target"))
    return root


@pytest.fixture(scope="session", autouse=True)
def macros_are_read_once() -> Iterator[None]:
    """dbt's fixtures, and nothing else, read the macros for each class; they stay the same."""
    read = ManifestLoader.load_macros
    kept: list[Any] = []

    def load_macros(*arguments: Any, **options: Any) -> Any:
        if not kept:
            kept.append(read(*arguments, **options))
        return kept[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ManifestLoader, "load_macros", load_macros)
        yield


@pytest.fixture(scope="module")
def test_data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where dbt's tests look for files and leave some; not in the source tree."""
    return tmp_path_factory.mktemp("module") / "data"


@pytest.fixture(scope="class")
def logs_dir(tmp_path_factory: pytest.TempPathFactory, prefix: str) -> Iterator[str]:
    """Not in the source tree, where dbt's own fixture puts it.

    Nothing is written to the log: nobody reads it, and it takes a tenth of dbt's time here.
    """
    folder = str(tmp_path_factory.mktemp("logs"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBT_LOG_PATH", folder)
        patch.setenv("DBT_LOG_LEVEL_FILE", "none")
        yield folder


@pytest.fixture(scope="session", autouse=True)
def grantees(server: None, worker: str) -> Iterator[None]:
    """The three roles to which dbt's tests grant things."""
    roles = {f"DBT_TEST_USER_{n}": f"dbt_pgcopy_{worker}_{n}" for n in (1, 2, 3)}
    session = psycopg2.connect("")
    session.autocommit = True
    cursor = session.cursor()
    for role in map(sql.Identifier, roles.values()):
        cursor.execute(sql.SQL("drop role if exists {0}").format(role))
        cursor.execute(sql.SQL("create role {0}").format(role))
    os.environ.update(roles)
    yield
    for role in map(sql.Identifier, roles.values()):
        cursor.execute(sql.SQL("drop owned by {0}; drop role {0}").format(role))
    session.close()


@pytest.fixture(scope="session")
def worker() -> str:
    return f"{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}"


@pytest.fixture
def query(project: TestProjInfo) -> Iterator[Callable[..., list[tuple[Any, ...]]]]:  # noqa: F405
    """Runs SQL on a session of its own, in the project's schema."""
    session = psycopg2.connect("", options=f"-c search_path={project.test_schema}")
    session.autocommit = True

    def run(statement: str, *values: object) -> list[tuple[Any, ...]]:
        with session.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    yield run
    session.close()


@pytest.fixture
def seed_file(project: TestProjInfo) -> Callable[..., Path]:  # noqa: F405
    """Writes a seed of the project."""

    def write(content: str | bytes, name: str = "users.csv") -> Path:
        path = Path(project.project_root, "seeds", name)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write
