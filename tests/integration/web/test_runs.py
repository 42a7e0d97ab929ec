"""Runs over HTTP. The worker here is the test itself, by the functions that the worker uses."""

import json
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timezone
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api import connection_pool, events, trigger
from api.database import Database
from elute.database.queries import execute
from elute.database.sessions import Session
from elute.runs import queue
from elute.runs.ending import finish_and_retry
from elute.runs.run import Run

NODE = {"node": "seed.elute.users", "name": "users", "resource_type": "seed", "position": 1}


def note(session: Session, run: Run, kind: str, **data: Any) -> None:
    queue.append_events(session, run.run_id, [(datetime.now(timezone.utc), kind, data)])


def started(session: Session) -> Run:
    run = queue.start_next(session)
    assert run is not None
    note(session, run, "started", is_warm=True)
    return run


def finish(session: Session, run: Run, state: str, **how: Any) -> None:
    queue.finish(session, run.run_id, state, **how)
    shown = {key: how.get(key) for key in ("error_kind", "error")}
    note(session, run, "finished", state=state, **shown)


def streamed(text: str) -> list[tuple[str | None, str, dict[str, Any]]]:
    """The id, kind and data of each event."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line[1:])
        if "event" in fields:
            found.append((fields.get("id"), fields["event"], json.loads(fields["data"])))
    return found


def test_a_trigger_that_does_not_wait(client: FlaskClient, session: Session) -> None:
    answer = client.post("/trigger-etl?wait=0")
    body = answer.get_json()
    assert (answer.status_code, body["status"]) == (202, "running")
    assert answer.headers["Location"] == f"/runs/{body['run']['run_id']}"
    assert "no worker is running; start `elute serve`" in body["message"]
    asynchronous = client.get("/trigger-etl", headers={"Prefer": "respond-async"})
    assert asynchronous.status_code == 202
    assert asynchronous.get_json()["run"]["request_count"] == 2


@pytest.mark.parametrize("path", ["/trigger-etl", "/runs"])
def test_what_is_misspelt_starts_nothing(client: FlaskClient, session: Session, path: str) -> None:
    refused = client.post(f"{path}?wait=0&forse=1")
    assert refused.status_code == 400
    assert "Not known: forse. Known: force, max_dropped_ratio, wait." in refused.text
    assert queue.page(session) == []


def test_with_a_worker_nothing_is_said_of_one(client: FlaskClient, session: Session) -> None:
    execute(session, "lock_worker")
    assert client.post("/trigger-etl?wait=0").get_json()["message"] == "Run 1 waits."


@pytest.mark.parametrize(
    ("state", "how", "status"),
    [
        ("succeeded", {}, 200),
        ("failed", {"error_kind": "input", "error": "users.csv, line 3: bad"}, 422),
        ("failed", {"error_kind": "build", "error": "a test failed"}, 500),
        ("failed", {"error_kind": "database", "error": "it went away"}, 503),
        ("cancelled", {}, 409),
        ("stopped", {"error_kind": "elute", "error": "stopped"}, 503),
        ("crashed", {"error_kind": "elute", "error": "killed"}, 500),
    ],
)
def test_a_trigger_waits_for_the_end_and_tells_it(
    app: Flask, session: Session, state: str, how: dict[str, Any], status: int
) -> None:
    answers = []

    def ask() -> None:
        answers.append(app.test_client().get("/trigger-etl?wait=30"))

    thread = threading.Thread(target=ask)
    thread.start()
    run = None
    while run is None:
        run = queue.start_next(session)
    finish(session, run, state, **how)
    thread.join(20)
    [answer] = answers
    assert answer.status_code == status
    assert answer.get_json()["status"] == ("success" if status == 200 else "error")
    assert answer.get_json()["run"]["state"] == state
    if "error" in how:
        assert answer.get_json()["message"] == how["error"]


@pytest.mark.parametrize("joins", [False, True])
def test_a_second_try_answers_for_a_run_whose_worker_died(
    app: Flask, session: Session, joins: bool
) -> None:
    answers = []

    def ask() -> None:
        answers.append(app.test_client().get("/trigger-etl?wait=30"))

    thread = threading.Thread(target=ask)
    thread.start()
    lost = None
    while lost is None:
        lost = queue.start_next(session)
    if joins:  # A run that somebody else has asked for meanwhile.
        queue.request(session, "schedule")
    finish_and_retry(session, lost, "crashed", error_kind="elute", error="killed")
    finish(session, started(session), "succeeded")
    thread.join(20)
    [answer] = answers
    run = answer.get_json()["run"]
    assert (answer.status_code, run["retry_of"]) == (200, lost.run_id)
    assert run["trigger"] == ("schedule" if joins else "http")


def test_when_the_time_is_up_it_goes_on(client: FlaskClient, session: Session) -> None:
    assert client.get("/trigger-etl?wait=0.2").status_code == 202


def test_a_success_tells_what_became_of_each_file(client: FlaskClient, session: Session) -> None:
    client.post("/runs")
    row = {"source_file": "users.csv", "records_read": 14, "records_kept": 13}
    finish(session, started(session), "succeeded", inputs=[row])
    assert "users.csv: 13 of 14 records kept." in client.get("/runs/1").get_json()["message"]


def test_a_success_names_what_only_warned(client: FlaskClient, session: Session) -> None:
    client.post("/runs")
    run = started(session)
    for name, status in (("b", "warn"), ("users", "success"), ("a", "warn")):
        note(session, run, "node_finished", **{**NODE, "name": name}, status=status)
    finish(session, run, "succeeded")
    shown = client.get("/runs/1").get_json()
    assert shown["warnings"] == ["b", "a"]
    assert shown["message"].endswith(" seconds. 2 warnings: b, a.")


def test_no_head_request_starts_a_build(client: FlaskClient, session: Session) -> None:
    assert client.head("/trigger-etl").status_code == 405
    assert queue.page(session) == []


@pytest.mark.parametrize("path", ["/trigger-etl?wait=0", "/runs"])
@pytest.mark.parametrize(
    "body", ['{"max_dropped_ratio": 2}', "[]", "{", '{"full_refresh": 1}', "[" * 50_000]
)
def test_options_that_make_no_sense(
    client: FlaskClient, session: Session, path: str, body: str
) -> None:
    assert client.post(path, data=body).status_code == 400
    assert queue.page(session) == []


def test_options_are_kept_and_others_do_not_join(client: FlaskClient, session: Session) -> None:
    answer = client.post("/runs", json={"max_dropped_ratio": 0.5})
    assert (answer.status_code, answer.headers["Location"]) == (202, "/runs/1")
    assert answer.get_json()["options"] == {"max_dropped_ratio": 0.5}
    assert client.post("/runs?max_dropped_ratio=0.5").get_json()["run_id"] == 1
    other = client.post("/runs")
    assert (other.status_code, other.mimetype) == (409, "application/problem+json")
    assert client.post("/trigger-etl?wait=0").get_json()["status"] == "error"


def test_who_asked_is_kept(client: FlaskClient, session: Session) -> None:
    headers = {"User-Agent": "curl/8.5.0 secret", "Authorization": "Bearer secret"}
    asked = client.post("/runs", headers=headers).get_json()
    assert asked["requested_by"] == "127.0.0.1, curl/8.5.0"


def test_runs_come_in_pages(client: FlaskClient, session: Session) -> None:
    for state in ("succeeded", "failed", "succeeded", "succeeded"):
        client.post("/runs?force=1")
        finish(session, started(session), state)
    first = client.get("/runs?state=succeeded&limit=2").get_json()
    assert [run["run_id"] for run in first["runs"]] == [4, 3]
    second = client.get(first["next"]).get_json()
    assert [run["run_id"] for run in second["runs"]] == [1]
    assert second["next"] is None
    assert client.get("/runs?limit=0").status_code == 400
    assert client.get("/runs?state=odd").status_code == 400


def test_a_run_is_shown_with_its_nodes(client: FlaskClient, session: Session) -> None:
    client.post("/runs")
    run = started(session)
    note(session, run, "node_started", **NODE)
    [node] = client.get("/runs/1").get_json()["nodes"]
    assert (node["name"], node["status"]) == ("users", "running")
    note(session, run, "node_finished", **NODE, status="success", seconds=0.1, rows=14)
    finish(session, run, "succeeded")
    shown = client.get("/runs/1").get_json()
    [node] = shown["nodes"]
    assert (node["status"], node["rows"], node["seconds"]) == ("success", 14, 0.1)
    assert shown["usual_seconds"] > 0
    assert client.get("/runs/2").status_code == 404


def test_a_run_is_cancelled(client: FlaskClient, session: Session) -> None:
    client.post("/runs")
    assert client.delete("/runs/1").get_json()["state"] == "cancelled"
    assert client.delete("/runs/1").status_code == 409
    assert client.delete("/runs/2").status_code == 404
    client.post("/runs")
    started(session)
    answer = client.delete("/runs/2")
    assert (answer.status_code, answer.get_json()["state"]) == (202, "running")
    assert answer.get_json()["cancel_requested_at"] is not None


def test_events_are_streamed_as_they_happen(client: FlaskClient, session: Session) -> None:
    client.post("/runs")
    run = started(session)
    with client.get("/runs/1/events", buffered=False) as answer:
        assert answer.mimetype == "text/event-stream"
        parts = iter(answer.response)
        assert "retry" in str(next(parts))
        assert streamed(_text(next(parts)))[0][:2] == ("1", "started")
        note(session, run, "node_started", **NODE)
        assert streamed(_text(next(parts)))[0][:2] == ("2", "node_started")
        finish(session, run, "failed", error_kind="input", error="no")
        [(number, kind, data)] = streamed(_text(next(parts)))
        assert (number, kind, data["state"], data["error"]) == ("3", "finished", "failed", "no")
        assert list(parts) == []


def test_events_go_on_where_they_broke_off(client: FlaskClient, session: Session) -> None:
    client.post("/runs")
    run = started(session)
    note(session, run, "node_started", **NODE)
    finish(session, run, "succeeded")
    for how in ({"headers": {"Last-Event-ID": "1"}}, {"query_string": {"after": 1}}):
        rest = streamed(client.get("/runs/1/events", **how).text)
        assert [number for number, _, _ in rest] == ["2", "3"]
    # A browser connects again when a stream ends: it is told that there is no more.
    assert client.get("/runs/1/events", headers={"Last-Event-ID": "3"}).status_code == 204
    assert client.get("/runs/1/events", headers={"Last-Event-ID": "x"}).status_code == 400


def test_a_run_cancelled_before_it_began_ends_its_stream(
    client: FlaskClient, session: Session
) -> None:
    client.post("/runs")
    client.delete("/runs/1")
    [(number, kind, data)] = streamed(client.get("/runs/1/events").text)
    assert (number, kind, data["state"]) == (None, "finished", "cancelled")


def test_too_many_listeners_are_told_so(
    client: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_PLACES", threading.BoundedSemaphore(1))
    client.post("/runs")
    with client.get("/runs/1/events", buffered=False):
        refused = client.get("/runs/1/events")
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    client.delete("/runs/1")
    assert client.get("/runs/1/events").status_code == 200


def test_when_too_many_wait_a_trigger_does_not(
    client: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trigger, "_PLACES", threading.Semaphore(0))
    assert client.get("/trigger-etl?wait=300").status_code == 202


def test_who_follows_a_run_gets_over_a_busy_database(
    app: Flask,
    client: FlaskClient,
    database: Database,
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection_pool, "WAIT_SECONDS", 0.05)
    client.post("/runs")
    run = started(session)
    told: list[Any] = []
    follow: list[Callable[[], Any]] = [
        lambda: trigger._follow(run.run_id, time.monotonic() + 60).state,
        lambda: "".join(events._stream(run.run_id, 0)),
    ]

    def tell(function: Callable[[], Any]) -> None:
        with app.app_context():
            told.append(function())

    threads = [threading.Thread(target=tell, args=[function]) for function in follow]
    with ExitStack() as stack:
        for _ in range(connection_pool.SIZE):
            stack.enter_context(database.owner.session())
        for thread in threads:
            thread.start()
        threads[0].join(0.5)  # By then each has been refused a few times.
        assert all(thread.is_alive() for thread in threads)
    finish(session, run, "succeeded")
    for thread in threads:
        thread.join(30)
    assert "succeeded" in told
    assert any("event: finished" in text for text in told)


def test_the_log_is_for_reading(client: FlaskClient, session: Session) -> None:
    client.post("/runs")
    assert client.get("/runs/1/log").text.startswith("It has not started.")
    run = started(session)
    note(session, run, "log", level="info", message="Running with dbt")
    note(session, run, "node_finished", **NODE, status="success", seconds=0.1, message="INSERT 14")
    finish(session, run, "succeeded")
    answer = client.get("/runs/1/log")
    assert answer.mimetype == "text/plain"
    assert "info Running with dbt\n" in answer.text
    assert "1 seed users success in 0.1 s: INSERT 14\n" in answer.text
    assert answer.text.endswith("succeeded\n")


def test_a_log_that_was_forgotten_says_so(client: FlaskClient, session: Session) -> None:
    client.post("/runs")
    finish(session, started(session), "failed", error_kind="build", error="a test failed")
    session.cursor().execute("delete from elute.run_events")
    text = client.get("/runs/1/log").text
    assert "ELUTE_KEEP_RUNS" in text
    assert "a test failed" in text


def _text(part: Any) -> str:
    return part.decode() if isinstance(part, bytes) else str(part)


@pytest.mark.parametrize("run_id", ["99", str(2**63), "9" * 300])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_run_that_there_is_not(client: FlaskClient, method: str, run_id: str) -> None:
    answer = client.open(f"/runs/{run_id}", method=method)
    assert (answer.status_code, answer.get_json()["title"]) == (404, "No such run")


def test_nothing_is_taken_for_what_it_is_not(client: FlaskClient) -> None:
    for path in ("/runs", "/runs/99", "/marts", "/metrics", "/nothing", "/openapi.json", "/"):
        headers = client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
