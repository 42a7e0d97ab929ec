"""What receivers outside are told of runs: by real HTTP, through faults, and after a crash."""

import json
import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from elute.database import schema
from elute.database.queries import execute
from elute.database.sessions import Session
from elute.runs import queue
from elute.runs.ending import finish_and_retry
from elute.settings import Settings
from elute.worker import webhooks
from elute.worker.messenger import PAUSES, Messenger
from tests.conftest import SAMPLE, own_database
from tests.integration.conftest import Laboratory
from tests.receiver import Receiver, receiving, receiving_mail
from tests.service import Process, ended, listening, until
from tests.warm_elute import WarmElute

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr"


@pytest.fixture(scope="module")
def parameters(connection_parameters: dict[str, Any]) -> Iterator[dict[str, Any]]:
    with (
        own_database(connection_parameters, "messages") as parameters,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("PGDATABASE", parameters["dbname"])
        schema.upgrade(os.environ)
        yield parameters


@pytest.fixture
def session(parameters: dict[str, Any]) -> Iterator[Session]:
    with listening(parameters) as session:
        session.cursor().execute(
            "truncate elute.runs, elute.receivers, elute.messages restart identity cascade"
        )
        yield session


def finish(session: Session, state: str, dropped: int | None = None, **values: Any) -> None:
    """A run that ends so, of a file of 300 records."""
    counts = {"records_read": 300, "records_kept": 300 - (dropped or 0), "records_dropped": dropped}
    inputs = None if dropped is None else [{"source_file": "users.csv", **counts}]
    queue.request(session, "schedule")
    run = queue.start_next(session)
    assert run is not None
    queue.finish(session, run.run_id, state, inputs=inputs, **values)


def told(session: Session) -> list[tuple[int, str, str]]:
    """Run, type and words of each message, the oldest first."""
    found = execute(session, "messages", {"before": None, "limit": 100})[::-1]
    return [(message["run_id"], message["type"], message["message"]) for message in found]


def deliveries(session: Session) -> list[dict[str, Any]]:
    found = execute(session, "messages", {"before": None, "limit": 100})
    return [delivery for message in found for delivery in message["deliveries"]]


def delivered(session: Session) -> int:
    return sum(each["delivered_at"] is not None for each in deliveries(session))


@contextmanager
def begun(session: Session, urls: dict[str, str], **changes: Any) -> Iterator[Messenger]:
    """A messenger that has begun with these receivers, and makes no pause."""
    settings = Settings.from_environment({"ELUTE_WEBHOOK_SECRET": SECRET, **urls})
    made = Messenger(settings, **{"pauses": (0, 0, 0, 0), **changes})
    made.start(session)
    with closing(made):
        yield made
    until(lambda: all(thread.name != "messenger" for thread in threading.enumerate()))


def messenger(
    session: Session, *receivers: Receiver, **changes: Any
) -> AbstractContextManager[Messenger]:
    """One whose receivers have been set for long."""
    urls = [f"{one.url}/hook?key=geheim" for one in receivers]
    names = [webhooks.receiver(url) for url in urls]
    execute(session, "note_receivers", {"receivers": names})
    session.cursor().execute("update elute.receivers set told_after = 0")
    return begun(session, {"ELUTE_WEBHOOK_URL": " ".join(urls)}, **changes)


def test_only_changes_are_told(session: Session) -> None:
    finish(session, "succeeded", 0)
    finish(session, "failed", error_kind="input", error="line 7: anna@lab.example")
    finish(session, "failed", error_kind="build")
    finish(session, "cancelled")
    finish(session, "succeeded", 214)
    finish(session, "succeeded", 3)
    published = "Built and published. users.csv: {} of 300 records kept."
    assert told(session) == [
        (1, "build.published", published.format(300)),
        (2, "run.failed", "Run 2 failed: the files are at fault. What was published before stays."),
        (5, "run.recovered", "Run 5 succeeded, after run 3 had failed."),
        (5, "build.published", published.format(86)),
        (5, "data.dropped_rose", "users.csv: dropped records rose from 0 to 214."),
        (6, "build.published", published.format(297)),
    ]
    with session.cursor() as cursor:
        cursor.execute("select string_agg(data::text, '') from elute.messages")
        assert "anna" not in str(cursor.fetchone())


def test_a_message_and_the_end_of_its_run_are_one(
    session: Session, parameters: dict[str, Any]
) -> None:
    with closing(psycopg2.connect(**parameters)) as other:
        finish(other, "failed")
        assert (len(told(other)), told(session)) == (1, [])
        other.rollback()
        assert told(other) == []


def test_a_run_that_is_tried_again_is_no_news(session: Session) -> None:
    queue.request(session, "schedule")
    run = queue.start_next(session)
    assert run is not None
    finish_and_retry(session, run, "crashed", error_kind="elute", error="Its worker ended.")
    assert told(session) == []
    again = queue.start_next(session)
    assert again is not None
    assert again.retry_of == run.run_id
    queue.finish(session, again.run_id, "failed", error_kind="build")
    assert [(run_id, what) for run_id, what, _ in told(session)] == [(again.run_id, "run.failed")]


def test_each_receiver_gets_it_signed(session: Session) -> None:
    finish(session, "failed", error_kind="input")
    with receiving(204) as one, receiving(200) as two, messenger(session, one, two):
        until(lambda: all(each["delivered_at"] for each in deliveries(session)) and two.received)
        for receiver in (one, two):
            [received] = receiver.received
            body, headers = json.loads(received.body), received.headers
            assert (received.method, received.path) == ("POST", "/hook?key=geheim")
            assert set(body) == {"type", "timestamp", "data"}
            assert (body["type"], body["data"]["run_id"]) == ("run.failed", 1)
            assert headers["webhook-signature"] == webhooks.signature(
                SECRET, headers["webhook-id"], headers["webhook-timestamp"], received.body
            )
    assert "geheim" not in str(deliveries(session))


def test_the_signature_is_that_of_standard_webhooks() -> None:
    # Made with their own library for Python, standardwebhooks 1.1.0.
    signed = webhooks.signature(SECRET, "msg_1", "1614265330", '{"a": "é"}'.encode())
    assert signed == "v1,sjOJk3znJVFHnwhVt+YiCLBylY0uyRtMNvTWckKih0o="


def test_it_fails_hangs_leads_elsewhere_and_comes_back(session: Session) -> None:
    finish(session, "failed")
    with receiving(500, 0, 302, 204) as receiver, messenger(session, receiver, limit=3):
        until(lambda: [each["delivered_at"] for each in deliveries(session)] not in ([], [None]))
        assert [each.path for each in receiver.received] == 4 * ["/hook?key=geheim"]
        assert len({each.headers["webhook-id"] for each in receiver.received}) == 1
        assert len({each.body for each in receiver.received}) == 1
    [delivery] = deliveries(session)
    assert (delivery["attempts"], delivery["last_answer"]) == (4, "HTTP 204")


def test_it_is_given_up_after_a_day_and_sent_again_by_hand(session: Session) -> None:
    assert 23 * 3600 < sum(PAUSES) < 25 * 3600
    assert sorted(PAUSES[:-1]) == list(PAUSES[:-1])
    finish(session, "failed")
    with receiving(503) as receiver, messenger(session, receiver, pauses=(0, 0)) as made:
        until(lambda: [each["attempts"] for each in deliveries(session)] == [3])
        [delivery] = deliveries(session)
        assert (delivery["next_attempt_at"], delivery["last_answer"]) == (None, "HTTP 503")
        receiver.statuses = [204]
        execute(session, "resend", {"message_number": 1})
        made.wake("")
        until(lambda: deliveries(session)[0]["delivered_at"])
        assert len(receiver.received) == 4


def test_a_new_receiver_is_told_nothing_of_before(session: Session) -> None:
    finish(session, "failed")
    with receiving(204) as receiver:
        urls = {"ELUTE_WEBHOOK_URL": receiver.url}
        with begun(session, urls) as made:
            finish(session, "succeeded")
            made.wake("")
            until(lambda: delivered(session) == 1)
        with begun(session, {}):
            finish(session, "failed")
        with begun(session, urls) as made:
            finish(session, "succeeded")
            made.wake("")
            until(lambda: delivered(session) == 2)
    assert [json.loads(each.body)["data"]["run_id"] for each in receiver.received] == [2, 4]


def test_a_receiver_is_told_of_what_happens_after_a_clock_was_set_back(session: Session) -> None:
    finish(session, "failed")
    with receiving(204) as receiver, begun(session, {"ELUTE_WEBHOOK_URL": receiver.url}) as made:
        finish(session, "succeeded")
        session.cursor().execute(
            "update elute.messages set created_at = created_at - interval '1 hour'"
        )
        made.wake("")
        until(lambda: delivered(session) == 1)
    assert [json.loads(each.body)["data"]["run_id"] for each in receiver.received] == [2]


def test_mail_and_chats_are_told_the_same(
    session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    with receiving(503, 200) as chat, receiving_mail() as mail:
        urls = [
            f"json://{chat.url.removeprefix('http://')}/hook/geheimnis?+X-Key=geheimnis",
            f"mailto://{mail.address}/?from=elute@lab.example&to=anna@lab.example",
        ]
        with begun(session, {"ELUTE_APPRISE_URL": " ".join(urls)}) as made:
            finish(session, "failed", error_kind="input")
            made.wake("")
            until(lambda: [each["last_answer"] for each in deliveries(session)] == ["told", "told"])
    assert [each["attempts"] for each in deliveries(session)] == [2, 1]
    words = "Run 1 failed: the files are at fault. What was published before stays."
    body = json.loads(chat.received[-1].body)
    assert (body["title"], body["message"], body["type"]) == (
        *("Elute: A run failed", words, "failure"),
    )
    [message] = mail.received
    assert (message["To"], message["Subject"]) == ("anna@lab.example", "Elute: A run failed")
    assert words in message.as_string().replace("=\n", "")
    for said in (str(deliveries(session)), caplog.text):
        assert "geheimnis" not in said
        assert "anna" not in said
    assert "503" in caplog.text


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        ("nonsense://geheimnis", "Unparseable URL nonsense://…"),
        ("slack://geheim/geheimnis", "An invalid Slack (third) Token (None) was specified."),
        ("json://127.0.0.1:9/geheimnis", "A Connection error occurred sending JSON"),
    ],
)
def test_a_chat_that_is_not_there_is_told(
    session: Session, url: str, answer: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with begun(session, {"ELUTE_APPRISE_URL": url}) as made:
        finish(session, "failed")
        made.wake("")
        until(lambda: [each["attempts"] for each in deliveries(session)] == [5])
    [delivery] = deliveries(session)
    assert str(delivery["last_answer"]).startswith(answer)
    assert delivery["next_attempt_at"] is None
    assert "geheim" not in str(delivery) + "".join(capfd.readouterr())


def test_what_nobody_expected_keeps_the_others_from_nothing(
    session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    # A name of a host that cannot be: neither refused by the settings nor an OSError.
    url = "http://geheim..example/"
    with receiving(204) as receiver:
        urls = {"ELUTE_WEBHOOK_URL": f"{url} {receiver.url}", "ELUTE_PING_URL": url}
        with begun(session, urls) as made:
            finish(session, "failed")
            made.wake("fail 1")
            until(lambda: sorted(each["attempts"] for each in deliveries(session)) == [1, 5])
    assert delivered(session) == 1
    what = r"Unicode(Encode)?Error in "  # by the version of Python
    assert re.search(f"Message 1 to geheim..example.*{what}", caplog.text)
    assert re.search(f"ELUTE_PING_URL was not told of fail: {what}", caplog.text)


def test_what_others_notify_of_ends_nothing(session: Session) -> None:
    with receiving(204) as receiver, messenger(session, receiver) as made:
        for happened in ("a b c", "fail x", "fail 1"):
            made.wake(happened)
            finish(session, "failed")
            finish(session, "succeeded")
        until(lambda: delivered(session) == len(deliveries(session)) > 0)


def test_nobody_is_there(session: Session) -> None:
    finish(session, "failed")
    with receiving(204) as receiver:
        pass
    with messenger(session, receiver, pauses=(0,)):
        until(lambda: [each["attempts"] for each in deliveries(session)] == [2])
    assert deliveries(session)[0]["last_answer"] == "Connection refused"


@pytest.fixture
def laboratory(tmp_path: Path, parameters: dict[str, Any], warm: WarmElute) -> Laboratory:
    laboratory = Laboratory(tmp_path, parameters, warm)
    laboratory.write(SAMPLE)
    return laboratory


def test_a_killed_worker_leaves_nothing_untold_and_no_run_waits(
    session: Session, laboratory: Laboratory, tmp_path: Path
) -> None:
    with receiving(0) as receiver, receiving(200) as pings:
        environment = {
            **laboratory.environment,
            "ELUTE_WEBHOOK_URL": receiver.url,
            "ELUTE_PING_URL": f"{pings.url}/check?tag=a",
        }
        worker = Process("worker", environment=environment, log=tmp_path / "first.log")
        try:
            first = queue.request(session, "http")
            assert ended(session, first.run_id).state == "succeeded", worker.said()
            until(lambda: receiver.received)
            # The receiver still has not answered.
            second = queue.request(session, "http")
            assert ended(session, second.run_id).state == "succeeded", worker.said()
            assert not any(each["attempts"] for each in deliveries(session))
        finally:
            worker.stop(signal.SIGKILL)
        receiver.statuses = [204]
        worker = Process("worker", environment=environment, log=tmp_path / "second.log")
        try:
            until(lambda: all(each["delivered_at"] for each in deliveries(session)))
        finally:
            worker.stop()
        bodies = [json.loads(each.body) for each in receiver.received]
        assert [body["data"]["run_id"] for body in bodies][-2:] == [first.run_id, second.run_id]
        assert receiver.received[0].headers["webhook-id"] in {
            each.headers["webhook-id"] for each in receiver.received[1:]
        }
        assert [each.path for each in pings.received][:2] == [
            f"/check{what}?tag=a&rid=00000000-0000-0000-0000-00000000000{first.run_id}"
            for what in ("/start", "")
        ]
        assert receiver.url not in (laboratory.files.parent / "logs" / "worker.log").read_text()
