"""The run lock: two writing commands on one database take turns."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from dbt.tests.util import run_dbt

Query = Callable[..., list[tuple[Any, ...]]]
LIMIT = 120  # seconds that any dbt command may take on a busy machine
NAME = f"dbt-pgcopy test {os.getpid()}"
HOLDER = (
    "from pg_locks join pg_stat_activity using (pid) where locktype = 'advisory' and granted "
    "and (classid::bigint << 32 | objid::bigint) = hashtextextended(%s, 0)"
)
HELD = f"select application_name {HOLDER}"
BLOCKED = f"""
select true from pg_locks where not granted and locktype = 'relation'
    and exists (select {HOLDER}) and relation = to_regclass('model_3')
"""
END = f"select pg_terminate_backend(pid, {LIMIT}000) {HOLDER}"


@pytest.mark.usefixtures("project")
class Locked:
    @pytest.fixture(scope="class")
    def dbt_profile_target(self, dbt_profile_target: dict[str, Any]) -> dict[str, Any]:
        return dbt_profile_target | {"run_lock": NAME}

    @pytest.fixture(scope="class")
    def seeds(self) -> dict[str, str]:
        return {"users.csv": "user_id\n" + "".join(f"{n}\n" for n in range(1000))}

    @pytest.fixture(scope="class")
    def models(self) -> dict[str, str]:
        names = ["users", *(f"model_{n}" for n in range(6))]
        return {
            f"{name}.sql": f"select * from {{{{ ref('{before}') }}}}"
            for before, name in itertools.pairwise(names)
        }

    @pytest.fixture(scope="class")
    def project_config_update(self) -> dict[str, Any]:
        return {
            "models": {"+materialized": "table"},
            "seeds": {"+column_types": {"user_id": "text"}},
        }

    @pytest.fixture
    def dbt(self, project: Any) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
        """Starts dbt commands in processes of their own, and ends what is left of them."""
        started = []

        def start(*arguments: str) -> "subprocess.Popen[str]":
            target = f"target_{len(started)}"
            process = subprocess.Popen(
                [sys.executable, "-c", "from dbt.cli.main import cli; cli()", *arguments],
                cwd=project.project_root,
                env=os.environ | {"DBT_TARGET_PATH": target, "DBT_LOG_PATH": target},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            started.append(process)
            return process

        yield start
        for process in started:
            process.kill()
            process.communicate()


@contextmanager
def held_by_another() -> Iterator[int]:
    session = psycopg2.connect("", application_name="another run")
    session.autocommit = True
    with session.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(hashtextextended(%s, 0))", (NAME,))
    try:
        yield session.info.backend_pid
    finally:
        session.close()


def until(process: "subprocess.Popen[str]", text: str) -> str:
    """Read what a process says up to the line with the text."""
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return line
    pytest.fail(f"ended without saying {text!r}")


class TestRunLock(Locked):
    @pytest.fixture(scope="class")
    def macros(self) -> dict[str, str]:
        return {"say.sql": "{% macro say() %}{{ log('something') }}{% endmacro %}"}

    def test_two_builds_at_once(
        self, dbt: Callable[..., "subprocess.Popen[str]"], query: Query
    ) -> None:
        builds = [dbt("build"), dbt("build")]
        for build in builds:
            output, _ = build.communicate(timeout=LIMIT)
            assert build.returncode == 0, output
        assert query("select count(*) from model_5") == [(1000,)]

    def test_who_holds_it_is_said_and_ctrl_c_ends_the_wait(
        self, dbt: Callable[..., "subprocess.Popen[str]"]
    ) -> None:
        with held_by_another() as pid:
            build = dbt("build")
            said = until(build, "run lock")
            assert f"Another run holds the run lock '{NAME}' (pid {pid}, another run, since" in said
            build.send_signal(signal.SIGINT)
            build.communicate(timeout=LIMIT)
            assert build.returncode != 0

    def test_a_command_that_waited_goes_on(
        self, dbt: Callable[..., "subprocess.Popen[str]"]
    ) -> None:
        with held_by_another():
            build = dbt("build")
            until(build, "run lock")
        output, _ = build.communicate(timeout=LIMIT)
        assert build.returncode == 0, output

    @pytest.mark.parametrize(
        "arguments", [["parse"], ["compile"], ["ls"], ["debug"], ["docs", "generate"]]
    )
    def test_commands_that_do_not_write_do_not_wait(self, arguments: list[str]) -> None:
        with held_by_another():
            run_dbt(arguments)

    def test_it_is_held_during_a_run_and_let_go_after(self, query: Query) -> None:
        held = []

        def listen(event: Any) -> None:
            if event.info.name in ("NodeStart", "EndOfRunSummary"):
                held.append((event.info.name, query(HELD, NAME)))

        run_dbt(["seed"], callbacks=[listen])
        assert dict(held) == {
            "NodeStart": [("dbt run lock",)],
            "EndOfRunSummary": [],
        }

    def test_who_lost_it_stops_before_another_begins(
        self,
        dbt: Callable[..., "subprocess.Popen[str]"],
        query: Query,
        seed_file: Callable[..., Path],
    ) -> None:
        run_dbt(["build"])
        with closing(psycopg2.connect("")) as reader:
            [(schema,)] = query("select current_schema()")
            reader.cursor().execute(f"lock table {schema}.model_3 in share mode")
            first = dbt("build")
            until(first, f"START sql table model {schema}.model_3")
            deadline = time.monotonic() + LIMIT
            while not query(BLOCKED, NAME):
                assert time.monotonic() < deadline, "it never waits"
            assert query(END, NAME) == [(True,)]
            seed_file("user_id\n1\n")
            second = dbt("build")
            until(second, f"Another run holds the run lock '{NAME}'")
            assert query("select count(*) from users") == [(1000,)]
        output, _ = first.communicate(timeout=LIMIT)
        assert first.returncode != 0
        assert f"The session that held the run lock '{NAME}' was lost" in output
        output, _ = second.communicate(timeout=LIMIT)
        assert second.returncode == 0, output
        assert query("select count(*) from model_5") == [(1,)]

    def test_run_operation_lets_it_go(self, query: Query) -> None:
        run_dbt(["run-operation", "say"])
        assert query(HELD, NAME) == []
