"""Elute's own schema: made, upgraded, and what the reading role may do."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import errors

from elute.database import schema
from elute.database.sessions import Session, connect
from elute.errors import ServerError
from elute.runs import queue
from tests.integration.conftest import EXPLAINING, EXPLAINING_VIEWS, MARTS, Laboratory


@contextmanager
def session(laboratory: Laboratory) -> Iterator[Session]:
    with closing(connect(laboratory.environment)) as opened:
        yield opened


def published(laboratory: Laboratory) -> dict[str, object]:
    rows = laboratory.rows("""
        select jsonb_object_keys(tables) as mart_name, published_at
        from (select * from builds.publications order by build desc limit 1) as published
    """)
    return {row["mart_name"]: row["published_at"] for row in rows}


@pytest.fixture(autouse=True)
def _made_here(one_laboratory: Laboratory) -> Iterator[None]:
    yield
    with session(one_laboratory) as opened:
        opened.cursor().execute("drop schema if exists elute cascade")


def test_the_schema_is_made_once_whoever_comes_first(laboratory: Laboratory) -> None:
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(schema.upgrade, [laboratory.environment] * 4))
    versions = laboratory.rows("select version from elute.schema_versions order by version")
    assert [row["version"] for row in versions] == list(range(1, len(schema.migrations()) + 1))


def test_a_newer_schema_is_left_alone(laboratory: Laboratory) -> None:
    schema.upgrade(laboratory.environment)
    with session(laboratory) as opened:
        opened.cursor().execute("insert into elute.schema_versions (version) values (1000)")
    with pytest.raises(ServerError, match=r"A newer Elute has used this database.*version 1000"):
        schema.upgrade(laboratory.environment)


def test_runs_are_numbered_on_from_those_of_the_builds_that_are_there(built: Laboratory) -> None:
    with session(built) as opened:
        opened.cursor().execute("update builds.publications set run_id = 41")
        opened.cursor().execute("drop schema if exists elute cascade")
        schema.upgrade(built.environment)
        assert queue.request(opened, "http").run_id == 42


def test_an_older_elute_does_not_build(built: Laboratory) -> None:
    schema.upgrade(built.environment)
    before = published(built)
    with session(built) as opened:
        opened.cursor().execute("insert into elute.schema_versions (version) values (1000)")
    newer = "A newer Elute has used this database: its schema elute is of version 1000"
    build = built.build()
    assert (build.returncode, build.stdout) == (1, "")
    assert newer in build.stderr
    assert published(built) == before
    check = built.elute("check")
    assert check.returncode == 1
    [wrong] = [line for line in check.stdout.splitlines() if line.startswith("WRONG")]
    assert newer in wrong


def test_who_may_not_use_the_schema_builds_without_a_history(laboratory: Laboratory) -> None:
    schema.upgrade(laboratory.environment)
    with session(laboratory) as opened, opened.cursor() as cursor:
        cursor.execute("drop schema marts, builds cascade")
        cursor.execute("drop role if exists elute_test_plain")
        cursor.execute("create role elute_test_plain login password 'plain'")
        cursor.execute("select current_database()")
        [[database]] = cursor.fetchall()
        cursor.execute(f'grant create on database "{database}" to elute_test_plain')
        plain = {"PGUSER": "elute_test_plain", "PGPASSWORD": "plain"}
        try:
            build = laboratory.build(**plain)
            assert build.returncode == 0, build.stderr
            said = " ".join(build.stderr.split())
            assert said.startswith("This build is not in the history: Elute's own tables")
            assert "permission denied for schema elute" in said
            assert set(published(laboratory)) == {*MARTS, *EXPLAINING, *EXPLAINING_VIEWS}
            assert laboratory.elute("check", **plain).returncode == 0
            assert laboratory.rows("select from elute.runs") == []
            cursor.execute("alter schema builds owner to current_user")
            checked = laboratory.elute("check", **plain)
            assert checked.returncode == 1
            assert "may not make or use these schemas: builds." in checked.stdout
        finally:
            cursor.execute("drop owned by elute_test_plain cascade; drop role elute_test_plain")


def test_an_older_schema_is_brought_up_to_date_with_all_that_is_in_it(
    laboratory: Laboratory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema.upgrade(laboratory.environment)
    with session(laboratory) as opened:
        run = queue.request(opened, "http")
    steps = schema.migrations()
    for number, step in enumerate(steps, start=1):
        (tmp_path / f"{number:04}_step.sql").write_text(step)
    following = "alter table elute.runs add column note text not null default 'none'"
    (tmp_path / f"{len(steps) + 1:04}_notes.sql").write_text(following)
    monkeypatch.setattr(schema, "_MIGRATIONS", tmp_path)
    for _ in range(2):
        schema.upgrade(laboratory.environment)
    # A step that fails takes back the whole upgrade.
    broken = "delete from elute.runs; select 1 / 0"
    (tmp_path / f"{len(steps) + 2:04}_broken.sql").write_text(broken)
    with pytest.raises(ServerError, match="cannot be brought up to date: division by zero"):
        schema.upgrade(laboratory.environment)
    kept = laboratory.rows("select run_id, state, note from elute.runs")
    assert kept == [{"run_id": run.run_id, "state": "queued", "note": "none"}]
    [newest] = laboratory.rows("select max(version) as version from elute.schema_versions")
    assert newest["version"] == len(steps) + 1


def test_the_reader_reads_the_marts_of_every_build_and_nothing_else(laboratory: Laboratory) -> None:
    schema.upgrade(laboratory.environment)
    assert laboratory.build().returncode == 0
    with session(laboratory) as opened, opened.cursor() as cursor:
        assert schema.has_reader(opened)
        cursor.execute(f"set role {schema.READER}")
        cursor.execute("select count(*) from marts.user_summary")
        assert cursor.fetchone() == (14,)
        for statement in (
            "select from elute.runs",
            "delete from marts.user_summary",
            "create table marts.mine ()",
            "select from raw.users",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                cursor.execute(statement)


def test_marts_that_were_there_before_are_readable_too(built: Laboratory) -> None:
    schema.upgrade(built.environment)
    with session(built) as opened, opened.cursor() as cursor:
        cursor.execute(f"set role {schema.READER}")
        cursor.execute("select count(*) from marts.data_issues")
        assert cursor.fetchone() == (3,)


def test_builds_of_an_older_elute_get_the_columns_that_they_lack(built: Laboratory) -> None:
    columns = ("versions", "returns_to", "requested_by", "reason")
    with session(built) as opened:
        for column in columns:
            opened.cursor().execute(f"alter table builds.publications drop column {column}")
        opened.cursor().execute("drop table builds.loaded_files")
    schema.upgrade(built.environment)
    [build] = built.rows("select * from builds.publications")
    assert [build[column] for column in columns] == [{}, None, None, None]


def test_a_user_who_may_not_make_roles_goes_on_without_one(laboratory: Laboratory) -> None:
    with session(laboratory) as opened, opened.cursor() as cursor:
        cursor.execute("drop role if exists elute_test_plain")
        cursor.execute("create role elute_test_plain login password 'plain'")
        cursor.execute("select current_database()")
        [[database]] = cursor.fetchall()
        cursor.execute(f'grant create on database "{database}" to elute_test_plain')
        plain = {**laboratory.environment, "PGUSER": "elute_test_plain", "PGPASSWORD": "plain"}
        try:
            schema.upgrade(plain)
            with closing(connect(plain)) as other:
                assert not schema.has_reader(other)
        finally:
            cursor.execute("drop owned by elute_test_plain cascade; drop role elute_test_plain")


def test_a_user_who_makes_the_role_may_take_it(laboratory: Laboratory) -> None:
    with session(laboratory) as opened, opened.cursor() as cursor:
        cursor.execute("select current_database()")
        [[database]] = cursor.fetchall()
        cursor.execute("drop role if exists elute_test_reader, elute_test_maker")
        cursor.execute("create role elute_test_maker login createrole password 'maker'")
        cursor.execute(f'grant create on database "{database}" to elute_test_maker')
        maker = {**laboratory.environment, "PGUSER": "elute_test_maker", "PGPASSWORD": "maker"}
        # Of its own, for the real one is other tests' too.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(schema, "READER", "elute_test_reader")
            try:
                schema.upgrade(maker)
                with closing(connect(maker)) as other:
                    assert schema.has_reader(other)
                    other.cursor().execute("set role elute_test_reader")
            finally:
                cursor.execute("drop owned by elute_test_maker cascade")
                cursor.execute("drop owned by elute_test_reader cascade")
                cursor.execute("drop role elute_test_reader, elute_test_maker")


def test_every_build_is_dated_and_a_failed_one_is_not(laboratory: Laboratory) -> None:
    schema.upgrade(laboratory.environment)
    assert laboratory.dbt("build").returncode == 0
    first = published(laboratory)
    assert set(first) == {*MARTS, *EXPLAINING, *EXPLAINING_VIEWS}
    laboratory.write({"users.csv": b"user_id,name,email,signup_date\n"})
    assert laboratory.dbt("build").returncode == 1
    assert published(laboratory) == first
    laboratory.write({"users.csv": b"user_id,name,email,signup_date\n1,Ada,a@b.c,2024-01-01\n"})
    assert laboratory.build(ELUTE_MAX_DROPPED_RATIO="1").returncode == 0
    second = published(laboratory)
    assert all(second[mart] > first[mart] for mart in first)  # type: ignore[operator]


def test_a_server_that_is_not_there_is_named(laboratory: Laboratory) -> None:
    with pytest.raises(ServerError, match="No connection to the database"):
        schema.upgrade({**laboratory.environment, "PGPORT": "1"})


def test_psycopg2_errors_do_not_get_out(laboratory: Laboratory) -> None:
    with session(laboratory) as opened:
        opened.cursor().execute("create schema elute; create table elute.schema_versions ()")
    with pytest.raises(ServerError, match="cannot be brought up to date") as raised:
        schema.upgrade(laboratory.environment)
    assert isinstance(raised.value.__cause__, psycopg2.Error)
