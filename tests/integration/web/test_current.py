"""What is built already is not built again; and a request that is repeated is one."""

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from elute import provenance
from elute.database.sessions import Session, connect
from elute.runs import queue
from elute.worker.triggers import Triggers
from tests.conftest import SAMPLE
from tests.integration.conftest import Laboratory
from tests.integration.web.conftest import ClientWith


@pytest.fixture
def session(built: Laboratory) -> Iterator[Session]:
    """A session as a worker has it; the sample is built, and no run waits afterwards."""
    built.write_only(SAMPLE)
    with closing(connect(built.environment)) as session:
        yield session
        session.cursor().execute("delete from elute.runs where state in ('queued', 'running')")


def asked(client: FlaskClient, path: str = "/trigger-etl?wait=0", **how: Any) -> tuple[int, str]:
    answer = client.post(path, **how)
    return answer.status_code, answer.get_json().get("message") or answer.get_json()["detail"]


def is_current(client: FlaskClient) -> bool:
    """Whether nothing would be built; if something would, it is no longer asked for."""
    answer = client.post("/runs")
    if answer.status_code == 202:
        client.delete(answer.headers["Location"])
    return answer.status_code == 200


def test_a_trigger_is_answered_at_once_and_says_so(client: FlaskClient, session: Session) -> None:
    before = queue.page(session)
    for answer in (client.get("/trigger-etl"), client.post("/trigger-etl")):
        body = answer.get_json()
        assert (answer.status_code, body["status"]) == (200, "success")
        assert body["message"].startswith("Already current: build 1, published at ")
        assert body["message"].endswith("?force=1 builds all the same.")
        assert (body["run"]["run_id"], body["run"]["state"]) == (before[0].run_id, "succeeded")
    answer = client.post("/runs")
    assert (answer.status_code, answer.get_json()["run_id"]) == (200, before[0].run_id)
    assert "Already current" in answer.get_json()["message"]
    assert queue.page(session) == before


def test_one_who_insists_has_it_built(client: FlaskClient, session: Session) -> None:
    assert asked(client, "/trigger-etl?wait=0&force=1")[0] == 202
    # Whoever asks while a run waits joins it.
    answer = client.post("/runs")
    assert (answer.status_code, answer.get_json()["request_count"]) == (202, 2)
    assert client.post("/runs?force=2").status_code == 400


def test_the_worker_asks_for_no_run_that_changes_nothing(
    app: Flask, built: Laboratory, session: Session
) -> None:
    before = queue.page(session)
    triggers = Triggers(session, app.config["SETTINGS"])
    for trigger in ("schedule", "file change"):
        assert triggers._request(trigger)
    assert queue.page(session) == before
    built.write({"users.csv": SAMPLE["users.csv"] + b"99,Zoe,,\n"})
    assert triggers._request("file change")
    assert queue.page(session)[0].trigger == "file change"


def test_a_tick_that_found_nothing_to_build_is_made_up_for_by_none(
    app: Flask, built: Laboratory, session: Session
) -> None:
    session.cursor().execute("insert into elute.schedule values (true, now() - interval '2 years')")
    before = queue.page(session)
    for files in (SAMPLE, {"users.csv": SAMPLE["users.csv"] + b"99,Zoe,,\n"}):
        built.write(files)  # The second ones after a restart.
        Triggers(session, replace(app.config["SETTINGS"], schedule="0 0 1 1 *")).check()
    assert queue.page(session) == before


def test_another_file_or_option_is_built(
    client: FlaskClient, built: Laboratory, session: Session, client_with: ClientWith
) -> None:
    assert asked(client, "/trigger-etl?wait=0&max_dropped_ratio=0.5")[0] == 202
    client.delete(f"/runs/{queue.page(session)[0].run_id}")
    assert asked(client, "/trigger-etl?wait=0&max_dropped_ratio=0.2")[0] == 200
    for name, content in SAMPLE.items():
        built.write({name: content + b"\n"})
        assert not is_current(client)
        (built.files / name).unlink()
        assert not is_current(client)
        built.write(SAMPLE)
        assert is_current(client)
    for changes in (
        {"date_format": "DD/MM/YYYY"},
        {"csv_encoding": "cp1252"},
        {"max_dropped_ratio": 0.3},
        {"max_nulled_ratio": 0.3},
    ):
        assert not is_current(client_with(**changes))


def test_another_project_or_version_is_built(
    client: FlaskClient, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(provenance, "_PROJECT", (*provenance._PROJECT, tmp_path))
        assert is_current(client)
        (tmp_path / "model.sql").write_text("select 1")
        assert not is_current(client)
        (tmp_path / "model.sql").unlink()
        seeds = tmp_path / "seeds"  # What is in the usual folder of the input files, too.
        seeds.mkdir()
        patch.setattr(provenance, "_PROJECT", (*provenance._PROJECT[:-1], seeds))
        for name in ("users.csv", "lab.xlsx", "users.csv.20261129T080000.000001Z"):
            (seeds / name).write_text("")
        assert is_current(client)
        (seeds / "rooms.yml").write_text("seeds: []")
        assert not is_current(client)
    cursor = session.cursor()
    for name in ("elute", "dbt", "postgres", "project"):
        cursor.execute("select versions from builds.publications")
        [[kept]] = cursor.fetchall()
        cursor.execute("update builds.publications set versions = versions - %s", [name])
        assert not is_current(client), name
        cursor.execute(
            "update builds.publications set versions = versions || jsonb_build_object(%s, %s)",
            [name, kept[name]],
        )
    assert is_current(client)


def test_what_has_lost_a_table_or_a_view_is_built(client: FlaskClient, session: Session) -> None:
    session.cursor().execute("alter view marts.user_summary rename to aside")
    assert not is_current(client)
    session.cursor().execute("alter view marts.aside rename to user_summary")
    assert is_current(client)


def test_only_a_whole_build_that_was_published_counts(
    client: FlaskClient, built: Laboratory, session: Session
) -> None:
    built.write({"users.csv": b"user_id\n"})
    assert built.elute("build").returncode == 1
    assert not is_current(client)
    built.write(SAMPLE)
    for state in ("failed", "crashed"):  # And is, for all who look, until a run succeeds.
        session.cursor().execute(
            "update elute.runs set state = %s where state in ('failed', 'crashed')", [state]
        )
        assert not is_current(client)
    assert built.elute("build").returncode == 0
    assert is_current(client)
    assert built.elute("build", "--select", "experiment_stats").returncode == 0
    assert not is_current(client)
    assert built.dbt("build").returncode == 0  # Nobody knows of which project.
    assert not is_current(client)
    assert built.elute("build").returncode == 0
    assert is_current(client)


def test_a_key_makes_a_repeated_request_one(client: FlaskClient, session: Session) -> None:
    headers = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
    first = client.post("/runs?force=1", headers=headers)
    run_id = first.get_json()["run_id"]
    client.delete(f"/runs/{run_id}")
    again = client.post("/runs?force=1", headers=headers)
    assert (again.status_code, again.get_json()["run_id"]) == (200, run_id)
    assert again.get_json()["request_count"] == 1
    for path in ("/runs", "/runs?force=1&max_dropped_ratio=0.5", "/trigger-etl?wait=0&force=1"):
        status, message = asked(client, path, headers=headers)
        assert (status, message[:20]) == (422, "This Idempotency-Key")
    session.cursor().execute(
        "update elute.idempotency_keys set asked_at = asked_at - interval '25 hours'"
    )
    assert client.post("/runs?force=1", headers=headers).get_json()["run_id"] != run_id
    assert client.post("/runs", headers={"Idempotency-Key": ""}).status_code == 400


def test_a_key_that_comes_twice_at_once_is_one_request(app: Flask, session: Session) -> None:
    answers: list[Any] = []

    def ask() -> None:
        headers = {"Idempotency-Key": "at once"}
        answers.append(app.test_client().post("/runs?force=1", headers=headers).get_json())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len({answer["run_id"] for answer in answers}) == 1
    assert {answer["request_count"] for answer in answers} == {1}
