"""Sessions that outlive a node: reused, reset, and given up when they are broken."""

from collections.abc import Callable
from typing import Any

import psycopg2
import pytest
from dbt.adapters.base.impl import DEFAULT_BASE_BEHAVIOR_FLAGS
from dbt.tests.util import run_dbt

Query = Callable[..., list[tuple[Any, ...]]]


def take(adapter: Any, name: str) -> int:
    """Take a connection as a node does, use it, and return the process that serves it."""
    adapter.acquire_connection(name)
    return int(adapter.execute("select pg_backend_pid() as pid", fetch=True)[1].rows[0]["pid"])


class TestSessions:
    @pytest.fixture
    def dbt(self, project: Any) -> Any:
        yield project.adapter
        project.adapter.cleanup_connections()

    def test_the_next_node_gets_the_same_session(self, dbt: Any) -> None:
        first = take(dbt, "one")
        dbt.release_connection()
        dbt.release_connection()
        assert take(dbt, "two") == first

    def test_nothing_a_node_did_to_its_session_is_left(self, dbt: Any) -> None:
        first = take(dbt, "one")
        dbt.execute("set statement_timeout = 12345")
        dbt.execute("create temporary table left_behind (id int)")
        dbt.execute("select pg_advisory_lock(42)")
        dbt.release_connection()
        assert take(dbt, "two") == first
        left = dbt.execute(
            "select current_setting('statement_timeout') as timeout, "
            "to_regclass('pg_temp.left_behind')::text as left_behind, "
            "(select count(*) from pg_locks where locktype = 'advisory' "
            "and pid = pg_backend_pid()) as locks",
            fetch=True,
        )[1].rows[0]
        assert (left["timeout"], left["left_behind"], left["locks"]) == ("0", None, 0)

    def test_what_a_node_did_not_commit_is_rolled_back(self, dbt: Any, query: Query) -> None:
        take(dbt, "one")
        dbt.execute("create table undone (id int)", auto_begin=True)
        dbt.release_connection()
        assert query("select to_regclass('undone')") == [(None,)]

    def test_the_server_has_nothing_to_warn_of(self, dbt: Any) -> None:
        take(dbt, "one")
        dbt.execute("select 1", auto_begin=True)
        dbt.commit_if_has_connection()
        dbt.release_connection()
        assert dbt.connections._idle[0].notices == []

    def test_an_idle_session_that_broke_is_replaced(self, dbt: Any, query: Query) -> None:
        first = take(dbt, "one")
        dbt.release_connection()
        query("select pg_terminate_backend(%s, 5000)", first)
        assert take(dbt, "two") != first

    def test_a_session_that_broke_at_work_is_replaced(self, dbt: Any, query: Query) -> None:
        first = take(dbt, "one")
        query("select pg_terminate_backend(%s, 5000)", first)
        dbt.release_connection()
        assert take(dbt, "two") != first

    def test_cleaning_up_closes_every_session(self, dbt: Any) -> None:
        first = take(dbt, "one")
        dbt.release_connection()
        session = dbt.connections._idle[0]
        dbt.cleanup_connections()
        assert session.closed
        assert take(dbt, "two") != first


class TestName:
    """Sessions are named so that others can tell whose they are."""

    @pytest.fixture
    def dbt(self, project: Any) -> Any:
        yield project.adapter
        project.adapter.cleanup_connections()

    @pytest.mark.parametrize(("variable", "name"), [("elute run 7", "elute run 7"), ("", "dbt")])
    def test_as_the_environment_says(
        self, dbt: Any, monkeypatch: pytest.MonkeyPatch, variable: str, name: str
    ) -> None:
        monkeypatch.setenv("PGAPPNAME", variable)
        dbt.cleanup_connections()
        take(dbt, "one")
        shown = dbt.execute("select current_setting('application_name') as name", fetch=True)[1]
        assert shown.rows[0]["name"] == name


class TestNameOfTheProfile:
    @pytest.fixture(scope="class")
    def dbt_profile_target(self, dbt_profile_target: dict[str, Any]) -> dict[str, Any]:
        return dbt_profile_target | {"application_name": "mine"}

    def test_wins(self, project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PGAPPNAME", "theirs")
        project.adapter.cleanup_connections()
        take(project.adapter, "one")
        shown = project.adapter.execute(
            "select current_setting('application_name') as name", fetch=True
        )[1]
        project.adapter.cleanup_connections()
        assert shown.rows[0]["name"] == "mine"


class TestManyNodes:
    """Twelve models on two threads."""

    @pytest.fixture(scope="class")
    def models(self) -> dict[str, str]:
        return {f"model_{n}.sql": "select pg_backend_pid() as pid" for n in range(12)}

    @pytest.fixture(scope="class")
    def project_config_update(self) -> dict[str, Any]:
        return {"models": {"+materialized": "table"}}

    def test_share_as_many_sessions_as_there_are_threads(self, query: Query) -> None:
        run_dbt(["run", "--threads", "2"])
        union = " union ".join(f"select pid from model_{n}" for n in range(12))
        assert len(query(union)) <= 3  # one is the main thread's


class TestRole:
    """`role` of the profile holds for a reused session too."""

    @pytest.fixture(scope="class")
    def dbt_profile_target(self, dbt_profile_target: dict[str, Any]) -> dict[str, Any]:
        return dbt_profile_target | {"role": "pg_read_all_data"}

    @pytest.fixture(scope="class")
    def unique_schema(self, unique_schema: str) -> str:
        with psycopg2.connect("") as session, session.cursor() as cursor:
            cursor.execute(f'create schema "{unique_schema}" authorization pg_read_all_data')
            database = psycopg2.extensions.quote_ident(session.info.dbname, cursor)
            cursor.execute(f"grant create on database {database} to pg_read_all_data")
        session.close()
        return unique_schema

    def test_role(self, project: Any) -> None:
        for name in ("one", "two"):
            take(project.adapter, name)
            role = project.adapter.execute("select current_user as role", fetch=True)[1].rows[0]
            assert role["role"] == "pg_read_all_data"
            project.adapter.release_connection()


class TestRunsInOneProcess:
    @pytest.mark.usefixtures("project")
    def test_a_run_leaves_nothing_for_the_next_one_to_look_through(self) -> None:
        # dbt looks through the call stack once for each flag of behaviour that it knows.
        run_dbt(["parse"])
        known = len(DEFAULT_BASE_BEHAVIOR_FLAGS)
        run_dbt(["parse"])
        assert len(DEFAULT_BASE_BEHAVIOR_FLAGS) == known
