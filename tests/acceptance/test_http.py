"""A real `elute serve` over HTTP, with tokens, as clients meet it."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from elute.settings import CHECKOUT
from tests.conftest import SAMPLE
from tests.service import Answer, Service, free_port, held_up, serving, until

TOKEN, READ_TOKEN = "to-change", 'to-"read"'


def make_request(service: Service, **changes: str) -> "subprocess.CompletedProcess[str]":
    """Run make_request.sh."""
    return subprocess.run(
        [CHECKOUT / "make_request.sh"],
        check=False,
        capture_output=True,
        text=True,
        env={**service.environment, **changes},
        timeout=60,
    )


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with serving(ELUTE_TOKEN=TOKEN, ELUTE_READ_TOKEN=READ_TOKEN) as service:
        until(lambda: service.ask("GET", "/health/ready").status == 200)
        yield service


@pytest.fixture(autouse=True)
def sample(service: Service) -> None:
    """Each test begins with the sample, and with nothing to do."""
    service.write()
    until(lambda: not running(service))


def running(service: Service) -> list[Any]:
    # Of one answer: between two, a run that waits in the first may go on in the second.
    runs = service.ask("GET", "/runs").json["runs"]
    return [run for run in runs if run["state"] in ("queued", "running")]


def test_a_trigger_waits_for_the_build(service: Service) -> None:
    answer = service.ask("GET", "/trigger-etl?force=1")
    assert (answer.status, answer.json["status"]) == (200, "success")
    assert "users.csv: 14 of 14 records kept." in answer.json["message"]
    run = service.ask("GET", f"/runs/{answer.json['run']['run_id']}").json
    assert (run["state"], run["trigger"]) == ("succeeded", "http")
    assert {"user_summary", "users"} <= {node["name"] for node in run["nodes"]}
    assert len(service.ask("GET", "/etl-results").json) == 14


def test_a_trigger_that_does_not_wait_says_where_to_look(service: Service) -> None:
    answer = service.ask("POST", "/trigger-etl?force=1", Prefer="respond-async")
    assert (answer.status, answer.json["status"]) == (202, "running")
    place = answer.headers["Location"]
    assert until(lambda: service.ask("GET", place).json["state"] == "succeeded")


def test_a_bad_file_is_told_by_file_and_line(service: Service) -> None:
    before = service.ask("GET", "/etl-results").text
    service.write(user_experiments=SAMPLE["user_experiments.csv"].replace(b"\n12,", b"\n12,x,"))
    answer = service.ask("POST", "/trigger-etl")
    assert (answer.status, answer.json["status"]) == (422, "error")
    assert "user_experiments.csv, line 13: 5 fields where 4 are expected" in answer.json["message"]
    assert service.ask("GET", "/etl-results").text == before
    asked = make_request(service)
    assert asked.returncode == 1
    assert "user_experiments.csv, line 13" in asked.stderr
    assert asked.stdout == ""


def test_an_uploaded_file_is_in_the_next_build(service: Service) -> None:
    more = SAMPLE["users.csv"] + b"99,Zoe,zoe@lab.example,2024-02-29\n"
    assert service.ask("PUT", "/inputs/users.csv", more, Content_Type="text/csv").status == 200
    assert service.ask("GET", "/trigger-etl").status == 200
    assert service.ask("GET", "/etl-results/99").json["name"] == "Zoe"


@pytest.mark.parametrize("content_type", ["text/csv", "multipart/form-data; boundary=x"])
def test_an_upload_that_breaks_off_replaces_nothing(service: Service, content_type: str) -> None:
    head = (
        "PUT /inputs/users.csv HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Authorization: Bearer {TOKEN}\r\nContent-Type: {content_type}\r\n"
        "Content-Length: 5000\r\n\r\n"
    )
    form = b'--x\r\nContent-Disposition: form-data; name="f"; filename="users.csv"\r\n\r\n'
    lines = b"".join(SAMPLE["users.csv"].splitlines(keepends=True)[:3])
    with socket.create_connection(("127.0.0.1", service.port), timeout=60) as client:
        client.sendall(head.encode() + (lines if content_type == "text/csv" else form + lines))
        client.shutdown(socket.SHUT_WR)
        answer = client.makefile("rb").read()
    assert not answer  # A request of which something is missing never reaches the app.
    assert (service.files / "users.csv").read_bytes() == SAMPLE["users.csv"]


def test_triggers_while_one_builds_share_the_next(service: Service) -> None:
    answers: list[Answer] = []
    with held_up(service.parameters):
        first = service.ask("POST", "/runs?force=1").json["run_id"]
        until(lambda: service.ask("GET", f"/runs/{first}").json["state"] == "running")
        threads = [
            threading.Thread(target=lambda: answers.append(service.ask("GET", "/trigger-etl")))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        queued = f"/runs/{first + 1}"
        until(lambda: service.ask("GET", queued).json.get("request_count") == 2)
    for thread in threads:
        thread.join(60)
    assert [answer.status for answer in answers] == [200, 200]
    assert {answer.json["run"]["run_id"] for answer in answers} == {first + 1}


def test_a_build_is_cancelled(service: Service) -> None:
    before = service.ask("GET", "/etl-results").text
    with held_up(service.parameters):
        run = service.ask("POST", "/runs?force=1").json["run_id"]
        until(lambda: service.ask("GET", f"/runs/{run}").json["nodes"])
        assert service.ask("DELETE", f"/runs/{run}").status == 202
        until(lambda: service.ask("GET", f"/runs/{run}").json["state"] == "cancelled")
    assert service.ask("GET", "/etl-results").text == before


def test_events_go_on_where_they_broke_off(service: Service) -> None:
    run = service.ask("POST", "/trigger-etl?force=1").json["run"]["run_id"]
    events = service.ask("GET", f"/runs/{run}/events")
    assert events.headers.get_content_type() == "text/event-stream"
    numbers = [line for line in events.text.splitlines() if line.startswith(b"id:")]
    assert numbers == [b"id: %d" % number for number in range(1, len(numbers) + 1)]
    assert b"event: finished" in events.text
    rest = service.ask("GET", f"/runs/{run}/events", Last_Event_ID=str(len(numbers) - 2))
    assert [line for line in rest.text.splitlines() if line.startswith(b"id:")] == numbers[-2:]
    log = service.ask("GET", f"/runs/{run}/log").text.decode()
    assert "model user_summary" in log


@pytest.mark.parametrize(
    ("method", "path", "token", "status"),
    [
        ("GET", "/health/live", "", 200),
        ("GET", "/etl-results", "", 401),
        ("GET", "/etl-results", READ_TOKEN, 200),
        ("GET", "/metrics", "wrong", 401),
        ("GET", "/trigger-etl?wait=0", READ_TOKEN, 401),
        ("POST", "/runs", READ_TOKEN, 401),
        ("PUT", "/inputs/users.csv", READ_TOKEN, 401),
        ("DELETE", "/runs/1", "", 401),
        ("GET", "/inputs", READ_TOKEN, 200),
    ],
)
def test_tokens(service: Service, method: str, path: str, token: str, status: int) -> None:
    answer = service.ask(method, path, Authorization=f"Bearer {token}")
    assert answer.status == status
    if status == 401:
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert "ELUTE_" in answer.json["message" if "trigger" in path else "detail"]


def test_a_page_of_another_site_starts_nothing(service: Service) -> None:
    answer = service.ask("GET", "/trigger-etl", Sec_Fetch_Site="cross-site")
    assert (answer.status, answer.json["status"]) == (403, "error")


def test_the_script_builds_and_prints_the_results(service: Service) -> None:
    service.write(users=SAMPLE["users.csv"] + b"\n")
    asked = make_request(service)
    assert asked.returncode == 0, asked.stderr
    assert [user["user_id"] for user in json.loads(asked.stdout)] == list(range(1, 15))
    assert "user_summary" in asked.stderr
    assert "Built and published in" in asked.stderr
    again = make_request(service)
    assert (again.returncode, again.stdout) == (0, asked.stdout)
    assert again.stderr.startswith("Already current: build ")


def test_the_script_says_what_stops_it(service: Service) -> None:
    wrong = make_request(service, ELUTE_TOKEN="wrong")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "The token is not the right one." in wrong.stderr
    named = make_request(service, ELUTE_TOKEN=f"anna:{TOKEN} lims:another", ELUTE_HOST="0.0.0.0")
    assert named.returncode == 0, named.stderr
    alone = make_request(service, ELUTE_PORT=str(free_port()))
    assert alone.returncode == 1
    assert "Nothing answers at http://127.0.0.1:" in alone.stderr


def test_the_script_follows_the_second_try_of_a_run_that_broke_off(service: Service) -> None:
    service.write(users=SAMPLE["users.csv"] + b"\n\n")
    with ThreadPoolExecutor() as threads:
        with held_up(service.parameters):
            script = threads.submit(make_request, service)
            [run] = until(lambda: running(service))
            place = f"/runs/{run['run_id']}"
            until(lambda: service.ask("GET", place).json["nodes"])
            for pid in service.pids_of("worker"):
                with suppress(ProcessLookupError):  # It ends with the one before.
                    os.kill(pid, signal.SIGKILL)
            until(lambda: service.ask("GET", place).json["state"] == "crashed")
        asked = script.result(60)
    assert asked.returncode == 0, asked.stderr
    assert "makes up for it.\n" in asked.stderr
    assert len(json.loads(asked.stdout)) == 14


def test_a_container_can_ask_how_its_part_is(service: Service) -> None:
    for part, port, status in (("web", service.port, 0), ("web", free_port(), 1)):
        asked = subprocess.run(
            [sys.executable, "-m", "elute.commands.probe", part],
            check=False,
            capture_output=True,
            env={**service.environment, "ELUTE_PORT": str(port)},
        )
        assert asked.returncode == status, asked.stderr


def test_no_token_is_ever_written_down(service: Service) -> None:
    service.ask("GET", f"/etl-results?token={TOKEN}")
    written = "".join(path.read_text() for path in service.home.glob("**/*.log"))
    assert TOKEN not in written
    assert READ_TOKEN not in written


FORMS = ("application/json", "application/x-ndjson", "text/csv")
EXPLANATION = "/etl-results/8/explain"
READ = [*(("/etl-results", form) for form in FORMS), (EXPLANATION, "application/json")]


def test_readers_see_whole_builds_through_twenty_of_them(service: Service) -> None:
    # More than the answers that are made in memory.
    many = SAMPLE["users.csv"] + b"".join(b"%d,Reader,,\n" % number for number in range(100, 1200))
    files = [many, many + b"2000,Zoe,zoe@lab.example,2024-02-29\n"]
    wholes: dict[tuple[str, str], set[tuple[int, bytes]]] = {read: set() for read in READ}
    seen: dict[tuple[str, str], set[tuple[int, bytes]]] = {read: set() for read in READ}
    is_over = threading.Event()

    def read(path: str, form: str, answers: set[tuple[int, bytes]]) -> None:
        answer = service.ask("GET", path, Accept=form)
        answers.add((answer.status, answer.text))

    def read_on(path: str, form: str) -> None:
        # With a moment between, or they would take the builds' processor.
        while not is_over.wait(0.1):
            read(path, form, seen[path, form])

    for users in files:
        service.write(users=users)
        assert service.ask("GET", "/trigger-etl").status == 200
        for path, form in READ:
            read(path, form, wholes[path, form])
    readers = [threading.Thread(target=read_on, args=each) for each in READ]
    for reader in readers:
        reader.start()
    try:
        for number in range(20):
            service.write(users=files[number % 2])
            assert service.ask("GET", "/trigger-etl").status == 200
    finally:
        is_over.set()
        for reader in readers:
            reader.join()
    assert seen == wholes
    assert {status for answers in seen.values() for status, _ in answers} == {200}
