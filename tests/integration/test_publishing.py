"""Publishing a build, and what may happen at that very moment."""

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from elute.database import schema
from elute.database.faults import LOST
from elute.database.sessions import Session, connect
from tests.conftest import SAMPLE
from tests.integration.conftest import EXPLAINING, EXPLAINING_VIEWS, MARTS, Laboratory

WAITS = "Publishing waits for "
STAYS = "What was published before stays."
ONE_USER_MORE = {"users.csv": SAMPLE["users.csv"] + b"15,Olive,,\n"}
USERS = "select count(*) as users from marts.user_summary"
# The builds that the views show: always one.
SHOWN = """
select distinct right(table_name, 32) as build
from information_schema.view_table_usage
where view_schema = 'marts' and table_schema = 'builds'
"""
PUBLICATIONS = "select build, invocation_id, files from builds.publications order by build"


def in_one_line(text: str) -> str:
    return " ".join(text.split())


class Build:
    """`elute build`, going on."""

    def __init__(self, laboratory: Laboratory, **variables: str) -> None:
        reading, writing = os.pipe()
        self._output, self._said = os.fdopen(reading), ""
        self._command = laboratory.start_build(writing, **variables)
        os.close(writing)

    def send(self, number: signal.Signals) -> None:
        os.kill(self._command.pid, number)

    def until(self, words: str) -> str:
        """Read what it says up to the line with these words."""
        for line in self._output:
            self._said += line
            if words in line:
                return line
        pytest.fail(f"it ended without saying {words!r}:\n{self._said}")

    def end(self) -> tuple[int, str]:
        """Its exit status, and all that it has said, in one line."""
        with self._output:
            said = self._said + self._output.read()
        return self._command.wait(), in_one_line(said)


@pytest.fixture
def build(one_laboratory: Laboratory) -> Callable[..., Build]:
    """Starts builds."""
    return partial(Build, one_laboratory)


@pytest.fixture
def built(built: Laboratory) -> Laboratory:
    """The laboratory with the sample published, and files with one user more."""
    built.write(ONE_USER_MORE)
    return built


@pytest.fixture
def owner(one_laboratory: Laboratory) -> Iterator[Session]:
    with closing(connect(one_laboratory.environment)) as session:
        yield session


@contextmanager
def reader(laboratory: Laboratory, query: str = USERS) -> Iterator[Session]:
    """Somebody with an open transaction on a mart."""
    with closing(connect(laboratory.environment, name="a dump")) as session:
        session.cursor().execute(f"begin; {query}")
        yield session


def assert_unchanged(laboratory: Laboratory, marts: dict[str, list[str]]) -> None:
    """What was published before is there, all of it, and of one build."""
    assert laboratory.marts() == marts
    assert len(laboratory.rows(SHOWN)) == 1
    assert len(laboratory.rows(PUBLICATIONS)) == 1


def test_an_open_transaction_on_a_mart_is_waited_for(
    built: Laboratory, build: Callable[..., Build]
) -> None:
    with reader(built) as session:
        going_on = build()
        said = going_on.until(WAITS)
        assert f"a dump (pid {session.info.backend_pid}, user " in said
        assert "on marts.user_summary" in said
        # Others read all along, and without delay.
        with closing(connect(built.environment)) as other, other.cursor() as cursor:
            cursor.execute("set statement_timeout = '1s'")
            for mart in MARTS * 5:
                cursor.execute(f"select count(*) from marts.{mart}")
        assert built.rows(USERS) == [{"users": 14}]
    status, said = going_on.end()
    assert status == 0, said
    assert built.rows(USERS) == [{"users": 15}]
    assert len(built.rows(SHOWN)) == 1


def test_it_is_not_waited_for_without_end(built: Laboratory, build: Callable[..., Build]) -> None:
    marts = built.marts()
    with reader(built):
        status, said = build(ELUTE_PUBLISH_WAIT_SECONDS="1").end()
    assert status == 1
    assert "The build failed. Publishing was held up for 1 s: a dump (pid " in said
    assert "This build stays unpublished. What was published before stays." in said
    assert "CONTEXT" not in said.rpartition("The build failed.")[2]
    assert "keyboard interrupt" not in said
    assert_unchanged(built, marts)


def interrupt(build: Build, owner: Session) -> None:
    build.send(signal.SIGINT)


def kill(build: Build, owner: Session) -> None:
    build.send(signal.SIGKILL)


def end_sessions(build: Build, owner: Session) -> None:
    with owner.cursor() as cursor:
        cursor.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and application_name like 'dbt%'"
        )
        assert cursor.rowcount >= 2  # One of them holds the run lock.


def end_run_lock(build: Build, owner: Session) -> None:
    with owner.cursor() as cursor:
        cursor.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and application_name = 'dbt run lock'"
        )
        assert cursor.rowcount == 1


DEATHS = {
    "Ctrl-C": (interrupt, 130, f"Stopped. {STAYS}"),
    "SIGKILL": (kill, -signal.SIGKILL, ""),
    "lost sessions": (
        end_sessions,
        1,
        f"The build failed. {LOST.detail} The build could not be published: ",
    ),
    "lost run lock": (
        end_run_lock,
        1,
        "The session that held the run lock 'elute' was lost, so another run may be going on.",
    ),
}


@pytest.mark.parametrize("death", DEATHS)
def test_at_the_moment_of_publishing_it_is_all_or_nothing(
    built: Laboratory, build: Callable[..., Build], owner: Session, death: str
) -> None:
    marts = built.marts()
    strike, expected, words = DEATHS[death]
    # The last of the views, so that all others are locked and changed in each attempt.
    with reader(built, "select from marts.user_top_compounds"):
        going_on = build()
        going_on.until(WAITS)
        strike(going_on, owner)
        if death != "lost run lock":
            status, said = going_on.end()
    if death == "lost run lock":
        status, said = going_on.end()
    assert status == expected, said
    assert words in said[-700:]
    assert (STAYS in said) == (status > 0)
    assert_unchanged(built, marts)
    left = built.rows("select from pg_tables where schemaname = 'builds' and tablename ~ '__'")
    of_build = len(MARTS) + len(EXPLAINING)
    # What a session that is being ended still holds when the build clears up stays for the next.
    most = of_build if death in ("SIGKILL", "lost sessions") else 0
    least = of_build if death == "SIGKILL" else 0
    assert least <= len(left) - of_build <= most
    # Nothing stands in the way of the next one, which takes away what a killed one has left.
    result = built.build()
    assert result.returncode == 0, result.stderr
    assert built.rows(USERS) == [{"users": 15}]
    kept = built.rows("select from pg_tables where schemaname = 'builds' and tablename ~ '__'")
    assert len(kept) == 2 * of_build
    kept = built.rows("select from pg_views where schemaname = 'builds'")
    assert len(kept) == 2 * len(EXPLAINING_VIEWS)


def test_a_full_disk_at_the_moment_of_publishing(
    built: Laboratory, build: Callable[..., Build], owner: Session
) -> None:
    marts = built.marts()
    with owner.cursor() as cursor, reader(built):
        # The list of builds gets too large for a file of 16 MiB, the size up to which sessions may
        # write; the log of the database has no larger ones.
        cursor.execute(
            "alter table builds.publications set (fillfactor = 10);"
            "insert into builds.publications (build, invocation_id, options, files, tables) "
            "overriding system value "
            "select -n, n::text, to_jsonb(repeat('x', 900)), '{}', '{}' "
            "from generate_series(1, 2200) as n"
        )
        cursor.execute("select pg_relation_size('builds.publications')")
        [[size]] = cursor.fetchall()
        assert size > 1 << 24
        going_on = build()
        going_on.until(WAITS)
        cursor.execute(
            "select pid from pg_stat_activity "
            "where datname = current_database() and application_name = 'dbt'"
        )
        for (pid,) in cursor.fetchall():
            limit_files(pid, 1 << 24)
    status, said = going_on.end()
    assert status == 1
    assert "The build could not be published: could not extend file" in said[-700:]
    assert STAYS in said
    owner.cursor().execute("delete from builds.publications where build < 0")
    assert_unchanged(built, marts)


def limit_files(pid: int, size: int) -> None:
    """Let a process of the server write no file beyond this size."""
    if not Path(f"/proc/{pid}/comm").is_file():
        pytest.skip("the server does not run on this machine")
    status = Path(f"/proc/{pid}/status").read_text()
    user, group = (int(line.split()[1]) for line in re.findall(r"^[UG]id:.*", status, re.MULTILINE))
    as_it: dict[str, Any] = (
        {} if user == os.geteuid() else {"user": user, "group": group, "extra_groups": []}
    )
    subprocess.run(["prlimit", f"--pid={pid}", f"--fsize={size}"], check=True, **as_it)


def test_what_is_built_is_registered(built: Laboratory) -> None:
    # Without unit tests, which build nothing: that is no part of what there is to build.
    result = built.build(ELUTE_MAX_DROPPED_RATIO="0.5")
    assert result.returncode == 0, result.stderr
    first, second = built.rows("select * from builds.publications order by build")
    assert (first["build"], second["build"]) == (1, 2)
    assert first["files"] != second["files"]
    assert first["files"]["compounds.csv"] == second["files"]["compounds.csv"]
    assert set(second["files"]) == set(SAMPLE)
    assert second["options"]["max_dropped_ratio"] == "0.5"
    assert "exclude_resource_types" not in second["options"]
    assert set(second["tables"]) == {*MARTS, *EXPLAINING, *EXPLAINING_VIEWS}


def test_what_others_have_made_of_a_mart_stays(built: Laboratory, owner: Session) -> None:
    role = f"elute_test_bob_{os.getpid()}"
    with owner.cursor() as cursor:
        cursor.execute(
            f"create role {role}; create schema bi;"
            "create view bi.u as select count(*) as users from marts.user_summary;"
            f"grant usage on schema marts, bi to {role};"
            f"grant select on marts.user_summary, bi.u to {role}"
        )
        try:
            assert built.build().returncode == 0
            cursor.execute(f"set role {role}")
            cursor.execute("select users from bi.u")
            assert cursor.fetchall() == [(15,)]
            cursor.execute(USERS)
            assert cursor.fetchall() == [(15,)]
        finally:
            cursor.execute("reset role; drop schema bi cascade")
            cursor.execute(f"drop owned by {role}; drop role {role}")


def test_the_reading_role_reads_new_builds(built: Laboratory, owner: Session) -> None:
    schema.upgrade(built.environment)
    try:
        assert built.dbt("build").returncode == 0
        with owner.cursor() as cursor:
            cursor.execute(f"set role {schema.READER}")
            cursor.execute("select tables from builds.publications order by build desc limit 1")
            [[tables]] = cursor.fetchall()
            for mart in tables.values():
                cursor.execute(f'select count(*) from builds."{mart["table"]}"')
            cursor.execute("reset role")
    finally:
        owner.cursor().execute("drop schema elute cascade")


def test_a_home_of_an_older_elute_is_taken_over(built: Laboratory, owner: Session) -> None:
    marts = built.marts()
    with owner.cursor() as cursor:
        # As it was: tables, and nothing of builds.
        for mart in MARTS:
            cursor.execute(
                f"create table public.kept as select * from marts.{mart};"
                f"drop view marts.{mart}; alter table public.kept rename to {mart};"
                f"alter table public.{mart} set schema marts"
            )
        cursor.execute("drop schema builds cascade; create schema bi")
        cursor.execute("create view bi.u as select count(*) as users from marts.user_summary")
        try:
            schema.upgrade(built.environment)
            assert built.marts() == marts
            result = built.build()
            assert result.returncode == 0, result.stderr
            assert built.rows("select users from bi.u") == [{"users": 15}]
            assert len(built.rows(SHOWN)) == 1
        finally:
            cursor.execute("drop schema bi cascade; drop schema elute cascade")
