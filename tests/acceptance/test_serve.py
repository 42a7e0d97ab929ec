"""`elute serve` as a whole: a real process, its own PostgreSQL, asked over HTTP."""

import http.client
import json
import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from api.embedded import Cluster
from api.runs import queue
from api.settings import CHECKOUT, VARIABLES, Settings
from tests.service import (
    Process,
    command_line,
    ended,
    held_up,
    listening,
    processes_of,
    until,
    waits_for_lock,
)

STOP_SECONDS = 10


class Service:
    """One home, and the `elute serve` of it.

    Attributes:
        home: its ELUTE_HOME.
        port: where it listens.
        process: the one that runs.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        ours = {variable.name for variable in VARIABLES}
        rest = {name: value for name, value in os.environ.items() if name not in ours}
        self.environment = {
            **rest,
            "ELUTE_HOME": str(home),
            "ELUTE_PORT": str(self.port),
            "PYTHONPATH": str(CHECKOUT),
        }
        self.start()

    def start(self) -> None:
        """Start it, and wait until it says where it is."""
        self.process = self.another()
        until(lambda: f"Elute is at http://127.0.0.1:{self.port}" in self.process.said())

    def another(self, **changes: str) -> Process:
        """Start one more."""
        log = self.home / f"said-{len(list(self.home.glob('said-*')))}.log"
        return Process("serve", environment={**self.environment, **changes}, log=log)

    def ask(self, method: str, path: str) -> tuple[int, Any]:
        """Status and body of an answer."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)) as client:
            client.request(method, path)
            answer = client.getresponse()
            return answer.status, json.loads(answer.read())

    @property
    def cluster(self) -> Cluster:
        """Its PostgreSQL."""
        return Cluster(Settings.from_environment({"ELUTE_HOME": str(self.home)}))

    @property
    def parameters(self) -> dict[str, Any]:
        """Arguments for `psycopg2.connect`."""
        server = self.cluster.running()
        assert server
        password = self.cluster.password()
        return {
            "host": "127.0.0.1",
            "port": server.port,
            "user": "postgres",
            "password": password,
            "dbname": "postgres",
        }

    def pids_of(self, word: str) -> list[int]:
        """The processes of it with this word in their command line."""
        return [pid for pid in processes_of(self.home) if word in command_line(pid)]


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    # Not tmp_path: only root may enter that, and root's server runs as another account.
    home = Path(tempfile.mkdtemp(prefix="elute-test-"))
    home.chmod(0o711)
    service = Service(home)
    yield service
    service.process.stop()
    service.cluster.stop()
    shutil.rmtree(home)


def test_the_first_build_is_made_by_itself(service: Service) -> None:
    with listening(service.parameters) as session:
        first = until(lambda: next(iter(queue.page(session)), None), session=session)
        assert first.trigger == "first build"
        assert ended(session, first.run_id).state == "succeeded"
    status, users = service.ask("GET", "/etl-results")
    assert (status, len(users)) == (200, 14)


def test_a_trigger_waits_for_its_build(service: Service) -> None:
    status, body = service.ask("POST", "/trigger-etl")
    assert (status, body["status"], body["run"]["state"]) == (200, "success", "succeeded")
    assert body["run"]["is_warm"]


def test_a_second_one_says_where_the_first_is(service: Service) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        other = service.another(ELUTE_PORT=str(probe.getsockname()[1]))
    assert other.process.wait(30) == 1
    assert f"at http://127.0.0.1:{service.port}" in other.said()
    assert service.ask("GET", "/health/live")[0] == 200


def test_a_taken_port_is_said_in_one_sentence(service: Service, own_home: Path) -> None:
    other = service.another(ELUTE_HOME=str(own_home))
    assert other.process.wait(30) == 1
    assert f"Port {service.port} on 127.0.0.1 is taken by another program." in other.said()
    assert not (own_home / "postgres").exists()


def test_an_open_door_is_refused(service: Service, own_home: Path) -> None:
    other = service.another(ELUTE_HOME=str(own_home), ELUTE_HOST="0.0.0.0")
    assert other.process.wait(30) == 1
    assert "Set ELUTE_TOKEN" in other.said()


def test_a_cancelled_run_leaves_what_is_served(service: Service) -> None:
    before = service.ask("GET", "/etl-results")
    with listening(service.parameters) as session, held_up(service.parameters):
        run = queue.request(session, "http")
        until(lambda: waits_for_lock(session, run.run_id), session=session)
        assert service.ask("DELETE", f"/runs/{run.run_id}")[0] == 202
        assert ended(session, run.run_id).state == "cancelled"
        assert queue.execute(session, "backends", {"name": f"elute run {run.run_id}"}) == []
    assert service.ask("GET", "/etl-results") == before


def test_a_killed_worker_is_replaced_and_its_run_tried_again(service: Service) -> None:
    with listening(service.parameters) as session:
        with held_up(service.parameters):
            run = queue.request(session, "http")
            until(lambda: waits_for_lock(session, run.run_id), session=session)
            [worker] = service.pids_of("worker")
            os.kill(worker, signal.SIGKILL)
            assert ended(session, run.run_id).state == "crashed"
        [again] = [other for other in queue.page(session) if other.retry_of == run.run_id]
        assert ended(session, again.run_id).state == "succeeded"


def test_a_restart_of_postgresql_is_survived(service: Service) -> None:
    with listening(service.parameters) as session, held_up(service.parameters):
        run = queue.request(session, "http")
        until(lambda: waits_for_lock(session, run.run_id), session=session)
        service.cluster.stop()
    # Nobody but the worker starts it again.
    until(service.cluster.running)
    with listening(service.parameters) as session:
        crashed = ended(session, run.run_id)
        assert (crashed.state, crashed.error_kind) == ("crashed", "database")
        [again] = [other for other in queue.page(session) if other.retry_of == run.run_id]
        assert ended(session, again.run_id).state == "succeeded"
    assert service.ask("GET", "/etl-results")[0] == 200


def test_the_web_app_is_started_again(service: Service) -> None:
    for pid in service.pids_of("gunicorn"):
        os.kill(pid, signal.SIGKILL)

    def answers() -> bool:
        try:
            return service.ask("GET", "/health/live")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    until(answers)


def is_quiet(service: Service) -> bool:
    return not processes_of(service.home) and service.cluster.running() is None


def test_killed_it_leaves_nothing_and_starts_again(service: Service) -> None:
    service.process.stop(signal.SIGKILL)
    until(lambda: is_quiet(service), 20)
    service.start()
    assert service.ask("GET", "/etl-results")[0] == 200


def test_ctrl_c_stops_it_all_while_a_run_goes_on(service: Service) -> None:
    with listening(service.parameters) as session, held_up(service.parameters):
        run = queue.request(session, "http")
        until(lambda: waits_for_lock(session, run.run_id), session=session)
        started = time.monotonic()
        assert service.process.stop(signal.SIGINT) == 0
        assert time.monotonic() - started < STOP_SECONDS
    assert is_quiet(service)
    assert "Traceback" not in service.process.said()
