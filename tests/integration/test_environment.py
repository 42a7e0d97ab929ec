"""What another project left in the shell, or in a file beside us, changes no build."""

import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from elute.database.sessions import connect
from elute.environment import adopt, drop_foreign
from elute.settings import Settings
from tests.conftest import COMMAND
from tests.integration.conftest import Laboratory
from tests.service import Service, serving

DBT = {
    "DBT_TARGET": "prod",
    "DBT_PROFILE": "lab",
    "DBT_DEFER": "1",
    "DBT_EMPTY": "1",
    "DBT_PROJECT_DIR": "/lims",
    "DBT_ENGINE_TARGET": "prod",
    "DBT_ENGINE_PROFILES_DIR": "/lims",
    "DBT_ENGINE_OF_A_LATER_VERSION": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}
# What we make of these must hold on any server.
SESSION = {
    "PGOPTIONS": "-c default_transaction_read_only=on",
    "PGCLIENTENCODING": "LATIN1",
    "PGDATESTYLE": "German",
}
LIBPQ = {
    "PGHOSTADDR": "192.0.2.1",
    "PGPORT": "5432,5433",
    "PGUSER": "lims",
    "PGPASSWORD": "lims",
    "PGPASSFILE": "/lims",
    "PGSERVICE": "lims",
    "PGSERVICEFILE": "/lims",
    "PGSSLMODE": "require",
    "PGSSLROOTCERT": "/lims",
    "PGREQUIREAUTH": "none",
    "PGCHANNELBINDING": "require",
    "PGTARGETSESSIONATTRS": "standby",
    "PGTZ": "Mars/Olympus",
}
SHELL = {**DBT, **SESSION, **LIBPQ}
GOLDEN = Path(__file__).with_name("golden") / "user_summary.csv"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service on its own PostgreSQL, with all of that in its environment."""
    with serving(**SHELL) as service:
        yield service


def run(service: Service, folder: Path, *command: str) -> None:
    """Run a command in that shell, in a folder with a .env that says the same."""
    (folder / ".env").write_text("".join(f"{name}={text}\n" for name, text in SHELL.items()))
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env=service.environment,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def published(service: Service) -> list[list[str]]:
    text = service.ask("GET", "/etl-results", Accept="text/csv").text.decode()
    return list(csv.reader(text.splitlines()))


def test_a_triggered_run_is_as_without_it(service: Service) -> None:
    answer = service.ask("POST", "/trigger-etl?force=1")
    assert answer.json["status"] == "success", service.process.said()
    assert published(service) == list(csv.reader(GOLDEN.read_text("utf-8").splitlines()))


def test_elute_build_is_as_without_it(service: Service, tmp_path: Path) -> None:
    run(service, tmp_path, *COMMAND, "build")


def test_plain_dbt_is_as_without_it_after_elute_env(service: Service, tmp_path: Path) -> None:
    script = f'eval "$({sys.executable} -m elute.cli env)" && dbt build'
    run(service, tmp_path, "sh", "-euc", script)


def test_check_finds_the_server_all_the_same(service: Service, tmp_path: Path) -> None:
    run(service, tmp_path, *COMMAND, "check")


def test_a_build_on_a_server_of_ones_own_is_as_without_it(laboratory: Laboratory) -> None:
    result = laboratory.build(**DBT, **SESSION)
    assert result.returncode == 0, result.stdout + result.stderr
    [names] = laboratory.rows("select name from marts.user_summary where user_id = 9")
    assert names == {"name": "Inés Navarro"}


@pytest.fixture
def restored() -> Iterator[None]:
    """Our own environment may be changed."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("name", SHELL)
def test_nothing_of_it_is_left_with_our_own_server(name: str) -> None:
    os.environ[name] = SHELL[name]
    drop_foreign(Settings.from_environment({}))
    assert name not in os.environ


@pytest.mark.usefixtures("restored")
def test_a_server_that_pghost_names_is_reached_as_libpq_is_told() -> None:
    os.environ.update(SHELL)
    drop_foreign(Settings.from_environment({"PGHOST": "db.example.org"}))
    left = {name for name in SHELL if name in os.environ}
    assert left == {*LIBPQ, "PGOPTIONS", "PGCLIENTENCODING"}


@pytest.mark.usefixtures("restored")
def test_what_sessions_are_told_holds_but_for_what_ends_a_build(laboratory: Laboratory) -> None:
    asked = "-c default_transaction_read_only=on -c client_encoding=LATIN1 -c statement_timeout=7s"
    os.environ.update({**laboratory.environment, **SESSION, "PGOPTIONS": asked})
    for _ in range(2):  # A child of ours does the same again.
        adopt(Settings.from_environment())
    assert os.environ["PGOPTIONS"] == f"{asked} -c default_transaction_read_only=off"
    with closing(connect()) as session, session.cursor() as cursor:
        names = (
            "default_transaction_read_only",
            "client_encoding",
            "datestyle",
            "statement_timeout",
        )
        cursor.execute("select " + ", ".join(f"current_setting('{name}')" for name in names))
        assert cursor.fetchone() == ("off", "UTF8", "ISO, MDY", "7s")
