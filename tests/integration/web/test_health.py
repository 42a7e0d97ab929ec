"""Health checks and metrics, with a database, without one, before and after a build."""

import os
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.database import Database
from elute.commands import probe
from elute.database import schema
from elute.database.queries import execute
from elute.database.sessions import Session
from elute.runs import queue
from elute.worker.triggers import Triggers
from tests.integration.conftest import Laboratory
from tests.integration.web.conftest import ClientWith
from tests.integration.web.publishing import publish


def test_it_is_not_ready_before_the_first_build(
    client: FlaskClient, one_laboratory: Laboratory
) -> None:
    one_laboratory.clear()
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.get_json()["marts"]) == (503, "not built yet")
    assert client.get("/health/live").get_json() == {"status": "live"}
    metrics = client.get("/metrics").text
    assert "elute_database_up 1.0" in metrics
    assert "elute_mart_rows" not in metrics


def test_health_answers_to_any_name(client: FlaskClient) -> None:
    elsewhere = {"Host": "lb.example:5000"}
    assert client.get("/health/live", headers=elsewhere).status_code == 200
    assert client.get("/health/ready", headers=elsewhere).status_code in (200, 503)
    assert client.get("/metrics", headers=elsewhere).status_code == 403


def test_pages_come_without_asking_the_database(
    client: FlaskClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pool in (database.reader, database.owner):
        monkeypatch.setattr(pool, "read", lambda _: pytest.fail("asked the database"))
    for path in ("/", "/users/1", "/quality", "/history", "/compare", "/files"):
        assert client.get(path).status_code == 200


def test_without_a_database_it_lives(away: FlaskClient) -> None:
    assert away.get("/health/live").status_code == 200
    answer = away.get("/health/ready")
    assert (answer.status_code, answer.get_json()["database"]) == (503, "not reachable")
    metrics = away.get("/metrics")
    assert (metrics.status_code, "elute_database_up 0.0" in metrics.text) == (200, True)
    trigger = away.get("/trigger-etl")
    assert (trigger.status_code, trigger.get_json()["status"]) == (503, "error")
    assert away.get("/runs").mimetype == "application/problem+json"


def test_a_worker_is_seen_by_its_lock(client: FlaskClient, session: Session) -> None:
    assert client.get("/health/ready").get_json()["worker"] == "not running"
    assert probe.main("worker") == 1
    execute(session, "lock_worker")
    assert client.get("/health/ready").get_json()["worker"] == "running"
    assert probe.main("worker") == 0
    assert "elute_worker_up 1.0" in client.get("/metrics").text


def test_after_a_build_it_is_ready_and_measured(
    built: Laboratory, client: FlaskClient, session: Session
) -> None:
    assert client.get("/health/ready").status_code == 200
    queue.request(session, "schedule")
    run = queue.start_next(session)
    assert run is not None
    queue.finish(session, run.run_id, "succeeded")
    queue.request(session, "schedule")
    client.get("/nothing/like/this")
    lines = client.get("/metrics").text.splitlines()
    for line in (
        'elute_mart_rows{mart="user_summary"} 14.0',
        'elute_mart_rows{mart="data_issues"} 3.0',
        'elute_input_records{file="user_experiments.csv",outcome="dropped"} 1.0',
        'elute_runs{state="queued"} 1.0',
        'elute_runs{state="succeeded"} 1.0',
        'elute_runs_total{state="succeeded",trigger="schedule"} 1.0',
        'elute_runs_total{state="failed",trigger="http"} 0.0',
        'elute_run_seconds_bucket{le="+Inf"} 1.0',
        "elute_run_seconds_count 1.0",
        'elute_pool_in_use{pool="owner"} 0.0',
        "elute_last_run_succeeded 1.0",
    ):
        assert line in lines
    assert any(
        line.startswith('elute_http_requests_total{method="GET",route="none"') for line in lines
    )
    assert not any("/nothing" in line for line in lines)
    # A server that trusts everybody needs none.
    assert (os.environ.get("PGPASSWORD") or "?no password?") not in "\n".join(lines)


def test_a_table_that_is_missing_is_not_a_database_that_is_down(
    built: Laboratory, client_with: ClientWith, client: FlaskClient, owner: Session
) -> None:
    publish(owner)
    # One app has read the table before it is dropped, and another comes only then.
    assert client.get("/etl-results").status_code == 200
    owner.cursor().execute(dropped(owner, "user_summary"))
    for each in (client, client_with()):
        metrics = each.get("/metrics").text
        assert "elute_database_up 1.0" in metrics
        assert "elute_worker_up 0.0" in metrics
        assert 'elute_runs{state="queued"}' in metrics
        assert 'elute_mart_rows{mart="data_issues"} 3.0' in metrics
        assert 'elute_mart_rows{mart="user_summary"}' not in metrics
        ready = each.get("/health/ready")
        assert (ready.status_code, ready.get_json()["database"]) == (200, "reachable")
        assert ready.get_json()["marts"] == "built, but a table is missing"
        for path in ("etl-results?user_id=eq.1", "etl-results/1/explain", "compounds/2/explain"):
            answer = each.get(f"/{path}")
            assert (answer.status_code, answer.get_json()["rebuild"]) == (503, "/runs")
            assert answer.get_json()["title"] == "A table of what is published is missing"
        assert each.get("/marts/data_issues").status_code == 200
    result = built.build()
    assert result.returncode == 0, result.stderr
    assert client.get("/etl-results/1/explain").status_code == 200
    assert 'elute_mart_rows{mart="user_summary"} 14.0' in client.get("/metrics").text


def test_marts_from_before_there_were_builds_are_built_anew_at_the_start(
    built: Laboratory, app: Flask, client: FlaskClient, session: Session
) -> None:
    triggers = Triggers(session, app.config["SETTINGS"])
    triggers.first_build()
    assert queue.page(session) == []
    cursor = session.cursor()
    cursor.execute("create table marts.old as select * from marts.user_summary")
    cursor.execute("drop schema builds cascade")
    cursor.execute("alter table marts.old rename to user_summary")
    schema.upgrade(os.environ)
    triggers.first_build()
    assert [run.trigger for run in queue.page(session)] == ["first build"]
    assert client.get("/health/ready").status_code == 503
    assert len(built.rows("select from marts.user_summary")) == 14
    result = built.build()
    assert result.returncode == 0, result.stderr
    assert client.get("/health/ready").status_code == 200
    assert client.get("/etl-results").status_code == 200


def dropped(owner: Session, name: str) -> str:
    """The statement that drops a table of the newest build, with what reads it."""
    with owner.cursor() as cursor:
        cursor.execute("select tables from builds.publications order by build desc limit 1")
        [[tables]] = cursor.fetchall()
    return f'drop table builds."{tables[name]["table"]}" cascade'


def test_sessions_are_counted_while_they_are_held(client: FlaskClient, database: Database) -> None:
    with database.reader.session():
        assert 'elute_pool_in_use{pool="reader"} 1.0' in client.get("/metrics").text
    assert 'elute_pool_in_use{pool="reader"} 0.0' in client.get("/metrics").text


def test_each_answer_has_an_id_and_says_where_its_time_went(client: FlaskClient) -> None:
    refused = client.get("/runs/99", headers={"X-Request-Id": "lims:2026-11/7"})
    assert refused.headers["X-Request-Id"] == "lims:2026-11/7"
    assert refused.get_json()["request_id"] == "lims:2026-11/7"
    total, database = map(float, re.findall(r"dur=(\d+\.\d)", refused.headers["Server-Timing"]))
    assert 0 < database <= total
    for given in ("", "x" * 129, "a b", "päß", '"'):
        answer = client.get("/health/live", headers={"X-Request-Id": given})
        assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-Id"])
        assert answer.headers["Server-Timing"].endswith("database;dur=0.0")


def test_a_request_that_is_refused_has_an_id_too(client_with: ClientWith) -> None:
    guarded = client_with(read_token="secret", tokens={})
    answer = guarded.get("/runs", headers={"X-Request-Id": "a1"})
    assert (answer.status_code, answer.get_json()["request_id"]) == (401, "a1")


def test_a_stream_says_what_it_took_until_it_began(built: Laboratory, client: FlaskClient) -> None:
    answer = client.get("/marts/user_summary")
    [_, database] = re.findall(r"dur=(\d+\.\d)", answer.headers["Server-Timing"])
    assert 0 < float(database) < 60_000
