"""Sessions that are shared out, and waiting for runs."""

import os
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Any

import psycopg2
import pytest
from flask import Flask
from flask.testing import FlaskClient
from psycopg2 import sql

from api import connection_pool
from api.database import Database
from api.listener import Listener
from api.marts import copying
from api.problems import Problem
from elute.database.sessions import Session, connect
from elute.errors import ServerError
from tests.conftest import admin_session, own_database
from tests.integration.conftest import Laboratory
from tests.integration.web.conftest import ClientWith
from tests.integration.web.publishing import publish, withdraw


@pytest.fixture
def owner(environment: dict[str, str]) -> Iterator[Session]:
    with closing(connect(os.environ)) as session:
        yield session


def end_other_sessions(owner: Session) -> None:
    """End every session on this database, as a restart of the server does."""
    owner.cursor().execute(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()"
    )


@pytest.fixture
def listener(database: Database) -> Listener:
    return database.listener


def until_listening(listener: Listener) -> None:
    """Wait until the listening session is there, for half a minute at most."""
    with listener.follow() as changes:
        for _ in range(100):
            if listener.is_listening:
                return
            changes.wait(0.3)
    pytest.fail("nothing listens")


def one(session: Session) -> int:
    with session.cursor() as cursor:
        cursor.execute("select 1")
        [[number]] = cursor.fetchall()
    return int(number)


def test_a_read_survives_a_restart_of_the_server(owner: Session, database: Database) -> None:
    for shared in (database.owner, database.reader):
        assert shared.read(one) == 1
        end_other_sessions(owner)
        assert shared.read(one) == 1
    database.reset()


def test_a_session_left_in_a_transaction_is_not_shared_out_again(
    owner: Session, database: Database
) -> None:
    with database.owner.session() as session:
        session.cursor().execute("begin; create table raw_leftover (x bigint)")
    with database.owner.session() as session:
        assert session.info.transaction_status == psycopg2.extensions.TRANSACTION_STATUS_IDLE
    with owner.cursor() as cursor:
        cursor.execute("select to_regclass('raw_leftover')")
        assert cursor.fetchall() == [(None,)]


def test_a_session_in_use_goes_when_it_comes_back_if_all_are_to_go(database: Database) -> None:
    with database.owner.session() as session:
        database.reset()
        assert one(session) == 1
    assert session.closed


def test_sessions_are_kept_where_there_is_no_room_for_more(
    owner: Session, database: Database, connection_parameters: dict[str, Any]
) -> None:
    assert database.owner.read(one) == 1
    name = sql.Identifier(owner.info.dbname)
    allow = sql.SQL("alter database {} allow_connections {}")
    with admin_session(connection_parameters) as admin, admin.cursor() as cursor:
        cursor.execute(allow.format(name, sql.SQL("false")))
        try:
            with pytest.raises(ServerError):
                database.connect()
            assert database.owner.read(one) == 1
        finally:
            cursor.execute(allow.format(name, sql.SQL("true")))


def test_who_waits_for_a_session_gets_the_next_one(database: Database) -> None:
    found: list[int] = []
    with ExitStack() as stack:
        for _ in range(connection_pool.SIZE):
            stack.enter_context(database.owner.session())
        waiting = threading.Thread(target=lambda: found.append(database.owner.read(one)))
        waiting.start()
    waiting.join(30)
    assert found == [1]


def test_who_waits_too_long_is_told_so(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_pool, "WAIT_SECONDS", 0.1)
    with ExitStack() as stack:
        for _ in range(connection_pool.SIZE):
            stack.enter_context(database.owner.session())
        with pytest.raises(Problem, match="Too many requests") as raised:
            database.owner.read(one)
    assert raised.value.status == 503
    assert database.owner.read(one) == 1


def test_a_slow_question_is_ended(
    client_with: ClientWith, owner: Session, built: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "LONGEST_SILENCE", 1)
    names = "repeat('ab', 200000) as name, email"
    publish(owner, f"user_id, {names}")
    quick = client_with(query_seconds=1)
    patterns = ",".join(f"*a%25b{number}*c*" for number in range(190))
    try:
        assert quick.get("/etl-results?limit=1").status_code == 200
        began = time.monotonic()
        for limit in ("limit=10&", ""):
            answer = quick.get(f"/etl-results?{limit}name=ilike(any).{{{patterns}}}")
            assert (answer.status_code, answer.get_json()["title"]) == (503, "Took too long")
        assert time.monotonic() - began < 30
    finally:
        withdraw(owner)


def test_what_took_too_long_is_not_asked_again(
    client_with: ClientWith, owner: Session, built: Laboratory
) -> None:
    quick = client_with(query_seconds=1)
    reader = quick.application.extensions["database"].reader
    before = reader.read(lambda session: session.info.backend_pid)
    owner.autocommit = False
    try:
        owner.cursor().execute("lock table marts.user_summary")
        assert quick.get("/etl-results/1/explain").get_json()["title"] == "Took too long"
    finally:
        owner.rollback()
        owner.autocommit = True
    # A second try would begin by closing all sessions.
    assert reader.read(lambda session: session.info.backend_pid) == before


def test_streams_take_no_session_from_small_answers(database: Database) -> None:
    with ExitStack() as stack:
        for _ in range(connection_pool.SIZE):
            stack.enter_context(database.streams.session())
        assert database.reader.read(one) == 1


def test_without_a_database_a_client_is_told_to_come_back(away: FlaskClient) -> None:
    response = away.get("/etl-results")
    assert response.status_code == 503
    assert response.headers["Retry-After"]
    assert response.content_type == "application/problem+json"
    assert "The database cannot be reached" in response.text
    assert "127.0.0.1" not in response.text


def test_a_database_that_was_away_is_found(
    app: Flask, connection_parameters: dict[str, Any]
) -> None:
    settings = app.config["SETTINGS"]
    database = Database(replace(settings, database=f"elute_later_{os.getpid()}"))
    with pytest.raises(ServerError):
        database.owner.read(one)
    with own_database(connection_parameters, "later"):
        assert database.owner.read(one) == 1


def test_who_waits_for_a_silent_database_waits_once(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: list[ServerError] = []

    def read() -> None:
        with pytest.raises(ServerError) as raised:
            database.owner.read(one)
        failures.append(raised.value)

    monkeypatch.setenv("PGSSLMODE", "disable")
    monkeypatch.setenv("PGGSSENCMODE", "disable")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        database = Database(replace(app.config["SETTINGS"], host="127.0.0.1", port=port))
        threads = [threading.Thread(target=read) for _ in range(8)]
        for thread in threads:
            thread.start()
        with silent.accept()[0]:
            silent.settimeout(1)
            with pytest.raises(TimeoutError):
                silent.accept()
        # An attempt for each of them would take five seconds each: nobody takes their calls.
        end = time.monotonic() + 15
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        ended = len(failures)
        for thread in threads:
            thread.join()
    assert ended == 8


def notify(owner: Session, run_id: int) -> None:
    owner.cursor().execute("select pg_notify(%s, %s)", ["elute_runs", str(run_id)])


def test_changes_wake_those_who_wait_for_them(owner: Session, listener: Listener) -> None:
    until_listening(listener)
    with listener.follow(7) as seven, listener.follow(8) as eight, listener.follow() as all_runs:
        notify(owner, 7)
        assert seven.wait(30)
        assert all_runs.wait(30)
        assert not eight.wait(0)


def test_changes_are_told_of_whatever_the_number_of_the_socket(
    owner: Session, listener: Listener
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limits[1] < 2048:
        pytest.skip("only 1024 files may be open")
    resource.setrlimit(resource.RLIMIT_NOFILE, (2048, limits[1]))
    files = [os.open(os.devnull, os.O_RDONLY)]
    try:
        while files[-1] < 1100:
            files.append(os.dup(files[0]))
        end_other_sessions(owner)
        until_woken(owner, listener)
    finally:
        for file in files:
            os.close(file)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_a_notice_of_somebody_else_ends_nothing(owner: Session, listener: Listener) -> None:
    until_listening(listener)
    with owner.cursor() as cursor:
        for payload in ("", "²", "seven"):
            cursor.execute("select pg_notify(%s, %s)", ["elute_runs", payload])
    until_woken(owner, listener)


def until_woken(owner: Session, listener: Listener) -> None:
    """Wait until changes are told of at once."""
    with listener.follow(7) as changes:
        for _ in range(100):
            notify(owner, 7)
            if changes.wait(0.3) and listener.is_listening:
                return
    pytest.fail("nothing listens")


def test_waiting_goes_on_after_a_restart_of_the_server(owner: Session, listener: Listener) -> None:
    until_listening(listener)
    with listener.follow(7) as changes:
        end_other_sessions(owner)
        assert changes.wait(30)  # Woken to look, for something may have been missed.
    until_woken(owner, listener)
