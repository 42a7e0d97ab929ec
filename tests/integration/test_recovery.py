"""Runs whose worker has died, on a real server; the test is the worker."""

import os
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import immutable_builds
import psycopg2
import pytest
from immutable_builds import Build

from elute.database import schema
from elute.database.faults import LOST
from elute.database.queries import execute
from elute.database.sessions import Session
from elute.runs import queue
from elute.runs.ending import end_sessions, finish_and_retry, recover
from elute.runs.run import Run
from elute.worker.triggers import Triggers
from tests.conftest import own_database
from tests.integration.test_worker import settings_for
from tests.service import until


@pytest.fixture(scope="module")
def parameters(connection_parameters: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A database with Elute's own schema and nothing else."""
    with own_database(connection_parameters, "recovery") as parameters:
        schema.upgrade({**os.environ, "PGDATABASE": parameters["dbname"]})
        yield parameters


def open_session(parameters: dict[str, Any]) -> Session:
    session: Session = psycopg2.connect(**parameters)
    session.autocommit = True
    return session


@pytest.fixture
def session(parameters: dict[str, Any]) -> Iterator[Session]:
    with closing(open_session(parameters)) as session:
        session.cursor().execute("truncate elute.runs, elute.schedule, builds.publications cascade")
        yield session


def start(session: Session, **asked: Any) -> Run:
    queue.request(session, "http", "somebody", **asked)
    run = queue.start_next(session)
    assert run
    execute(session, "lock_run", {"run_id": run.run_id})
    return run


def dead(parameters: dict[str, Any], session: Session, **asked: Any) -> Run:
    """A run whose worker has gone."""
    with closing(open_session(parameters)) as worker:
        return start(worker, **asked)


def look(session: Session, run: Run) -> Run:
    found = queue.get(session, run.run_id)
    assert found
    return found


def waiting(session: Session) -> list[Run]:
    return queue.page(session, state="queued")


def publish(session: Session, run_id: int, kept: int) -> None:
    """Publish a build of that run, whose only mart says how many records were kept."""
    table = f"input_summary__{run_id:032x}"
    session.cursor().execute(
        f"create table builds.{table} as select 'users.csv' as source_file, {kept} as records_kept"
    )
    mart = {"view_schema": "marts", "table": table}
    build = Build("builds", table, {"input_summary": mart}, {}, {}, None, {}, run_id, None)
    immutable_builds.publish(session, build, 10, print)


def test_a_dead_run_is_marked_and_tried_again(parameters: Any, session: Session) -> None:
    run = dead(parameters, session, options={"max_dropped_ratio": 0.5})
    recover(session)
    found = look(session, run)
    assert (found.state, found.error_kind) == ("crashed", "elute")
    assert "worker" in (found.error or "")
    [again] = waiting(session)
    assert (again.retry_of, again.options, again.trigger) == (run.run_id, run.options, "http")
    assert [event.kind for event in queue.events_after(session, run.run_id)] == ["finished"]


def test_it_is_tried_again_only_once(parameters: Any, session: Session) -> None:
    dead(parameters, session)
    recover(session)
    [again] = waiting(session)
    with closing(open_session(parameters)) as worker:
        queue.start_next(worker)
    recover(session)
    assert look(session, again).state == "crashed"
    assert waiting(session) == []


def test_one_that_was_to_be_cancelled_is(parameters: Any, session: Session) -> None:
    run = dead(parameters, session)
    queue.cancel(session, run.run_id)
    recover(session)
    assert look(session, run).state == "cancelled"
    assert waiting(session) == []


def test_one_that_was_published_says_what_it_read_whatever_is_published_by_then(
    parameters: Any, session: Session
) -> None:
    run = dead(parameters, session)
    publish(session, run.run_id, kept=3)
    publish(session, run.run_id + 1, kept=4)
    recover(session)
    found = look(session, run)
    assert (found.state, found.error) == ("succeeded", None)
    assert found.inputs == [{"source_file": "users.csv", "records_kept": 3}]


def test_whoever_lost_the_database_says_so(parameters: Any, session: Session) -> None:
    run = dead(parameters, session)
    recover(session, fault=LOST)
    found = look(session, run)
    assert (found.state, found.error_kind) == ("crashed", "database")
    assert (found.error or "").startswith(LOST.detail)
    assert len(waiting(session)) == 1


def test_it_joins_a_run_that_waits(parameters: Any, session: Session) -> None:
    run = dead(parameters, session)
    other = queue.request(session, "http")
    recover(session)
    [joined] = waiting(session)
    assert (joined.run_id, joined.retry_of) == (other.run_id, run.run_id)
    # Whoever asked for that one has had no second try yet.
    queue.start_next(session)
    recover(session)
    [again] = waiting(session)
    assert again.retry_of == joined.run_id
    assert queue.latest_try(session, run.run_id) == again


def test_one_that_waits_with_other_options_is_left_alone(parameters: Any, session: Session) -> None:
    run = dead(parameters, session)
    other = queue.request(session, "http", options={"max_dropped_ratio": 1.0})
    recover(session)
    assert look(session, run).state == "crashed"
    assert [(found.run_id, found.options) for found in waiting(session)] == [
        (other.run_id, {"max_dropped_ratio": 1.0})
    ]


def test_a_build_in_a_terminal_is_left_alone_while_it_lives(
    parameters: Any, session: Session
) -> None:
    with closing(open_session(parameters)) as terminal:
        run = queue.note_terminal(terminal, "somebody", ["--fail-fast"])
        execute(terminal, "lock_run", {"run_id": run.run_id})
        recover(session)
        assert look(session, run).state == "running"

    def is_found() -> bool:  # The server ends its session a moment after that is closed.
        recover(session)
        return look(session, run).state == "crashed"

    until(is_found)
    assert waiting(session) == []


def test_its_sessions_are_ended_first(parameters: Any, session: Session) -> None:
    run = dead(parameters, session)
    left = psycopg2.connect(**parameters, application_name=f"elute run {run.run_id} run lock")
    recover(session)
    with pytest.raises(psycopg2.OperationalError):
        left.cursor().execute("select 1")
    left.close()


def test_a_cancelled_run_that_waited_is_over_at_once(parameters: Any, session: Session) -> None:
    run = queue.request(session, "http")
    queue.cancel(session, run.run_id)
    assert look(session, run).state == "cancelled"
    assert queue.start_next(session) is None
    assert waiting(session) == []


def test_a_tick_of_a_schedule_is_requested_once_across_workers(
    parameters: Any, session: Session, tmp_path: Any
) -> None:
    every_minute = settings_for(tmp_path, ELUTE_SCHEDULE="* * * * *")
    first = Triggers(session, every_minute)
    first.check()
    assert waiting(session) == []  # No tick was missed before there was a schedule.
    queue.request(session, "schedule")
    session.cursor().execute("update elute.runs set requested_at = now() - interval '3 minutes'")
    missed = Triggers(session, every_minute)
    missed.check()
    missed.check()
    [run] = waiting(session)
    assert run.request_count == 2


def test_a_tick_waits_for_a_run_with_other_options(
    parameters: Any, session: Session, tmp_path: Any
) -> None:
    queue.request(session, "schedule")
    session.cursor().execute(
        "update elute.runs set requested_at = now() - interval '3 minutes', state = 'succeeded'"
    )
    other = queue.request(session, "http", options={"max_dropped_ratio": 1.0})
    triggers = Triggers(session, settings_for(tmp_path, ELUTE_SCHEDULE="* * * * *"))
    triggers.check()
    assert [run.run_id for run in waiting(session)] == [other.run_id]
    queue.cancel(session, other.run_id)
    triggers.check()
    assert [run.trigger for run in waiting(session)] == ["schedule"]


def test_a_run_of_that_number_in_another_database_is_left_alone(
    parameters: Any, session: Session, connection_parameters: dict[str, Any]
) -> None:
    run = start(session)
    with closing(
        open_session({**connection_parameters, "application_name": f"elute run {run.run_id}"})
    ) as other:
        assert end_sessions(session, run.run_id)
        other.cursor().execute("select 1")
    queue.finish(session, run.run_id, "failed")


def test_a_cancel_in_the_last_moment_is_not_forgotten(parameters: Any, session: Session) -> None:
    run = dead(parameters, session)
    queue.cancel(session, run.run_id)
    finish_and_retry(session, run, "stopped", error_kind="elute", error="its worker was")
    assert look(session, run).state == "cancelled"
    assert waiting(session) == []


def test_how_a_run_ended_is_noted_once(parameters: Any, session: Session) -> None:
    run = dead(parameters, session)
    queue.finish(session, run.run_id, "failed", error="said first")
    finish_and_retry(session, run, "crashed", error_kind="elute", error="said later")
    assert look(session, run).error == "said first"
    assert waiting(session) == []
    assert "said later" not in str(list(queue.events_after(session, run.run_id)))


def test_a_build_in_a_terminal_is_not_to_be_cancelled_from_here(session: Session) -> None:
    run = queue.note_terminal(session, "somebody", [])
    assert queue.cancel(session, run.run_id) is None
    assert look(session, run).cancel_requested_at is None
