"""Workers and services as real processes, how to talk to them, and waiting for what they do."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from email.message import Message
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import psycopg2
from postgres_here import Server

from elute.database.sessions import Session
from elute.runs import queue
from elute.runs.run import Run
from elute.settings import CHECKOUT
from tests.conftest import SAMPLE, new_home, without_settings

Found = TypeVar("Found")
LIMIT = 120.0  # seconds; much longer than anything takes


class Process:
    """An `elute` command that goes on until it is stopped.

    Attributes:
        process: the running process.
    """

    def __init__(
        self, *arguments: str, environment: Mapping[str, str], log: Path, checkout: Path = CHECKOUT
    ) -> None:
        self._log = log
        path = [str(checkout), environment.get("PYTHONPATH", str(checkout))]
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "elute.cli", *arguments],
                env={**environment, "PYTHONPATH": os.pathsep.join(path)},
                cwd=checkout,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def said(self) -> str:
        """All that it has printed."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = 30) -> int:
        """Send it a signal and wait for its end; its status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(seconds)
        finally:
            self.process.kill()  # If that was of no use.


class Answer(NamedTuple):
    """Status, headers and body of an answer."""

    status: int
    headers: Message
    text: bytes

    @property
    def json(self) -> Any:
        """What the body says."""
        return json.loads(self.text)


def fetch(
    url: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] = {}
) -> Answer:
    """One request, and whatever the answer is."""
    request = urllib.request.Request(url, body, dict(headers), method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=LIMIT) as answer:
            return Answer(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read())


class Service:
    """An `elute serve` with files of its own, and how to talk to it.

    Attributes:
        home: its ELUTE_HOME.
        files: the folder of its files, at first the sample.
        port: where it listens.
        environment: the variables that it is started with.
        process: the one that runs.
    """

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self.home, self.files, self.port = home, home / "files", free_port()
        self.files.mkdir()
        self.write()
        self.environment = {
            **environment,
            "PYTHONPATH": str(CHECKOUT),
            "ELUTE_HOME": str(home),
            "ELUTE_SEEDS_DIR": str(self.files),
            "ELUTE_PORT": str(self.port),
        }
        self.start()

    @property
    def address(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.port}"

    def write(self, **changes: bytes) -> None:
        """The sample, with these files in the place of its own."""
        for name, content in SAMPLE.items():
            (self.files / name).write_bytes(changes.get(name.removesuffix(".csv"), content))

    def start(self) -> None:
        """Start it, and wait until it says where it is."""
        process = self.process = self.another()

        def is_up() -> bool:
            assert process.process.poll() is None, process.said()
            return f"Elute is at {self.address}" in process.said()

        try:
            until(is_up)
        except BaseException:
            process.stop()
            raise

    def another(self, **changes: str) -> Process:
        """Start one more."""
        log = self.home / f"said-{len(list(self.home.glob('said-*')))}.log"
        return Process("serve", environment={**self.environment, **changes}, log=log)

    def ask(self, method: str, path: str, body: bytes | None = None, /, **headers: str) -> Answer:
        """One request, with the token that does all if there is one."""
        token = self.environment.get("ELUTE_TOKEN")
        sent = {"Authorization": f"Bearer {token}"} if token else {}
        sent.update({name.replace("_", "-"): text for name, text in headers.items()})
        return fetch(self.address + path, method, body, sent)

    @property
    def cluster(self) -> Server:
        """Its PostgreSQL, if that is its own."""
        return Server(self.home / "postgres")

    @property
    def parameters(self) -> dict[str, Any]:
        """Arguments for `psycopg2.connect` to that."""
        server = until(self.cluster.running)
        return {
            "host": "127.0.0.1",
            "port": server.port,
            "user": "postgres",
            "password": self.cluster.password(),
            "dbname": "postgres",
        }

    def pids_of(self, word: str) -> list[int]:
        """The processes of it with this word in their command line."""
        return pids_of(self.home, word)


@contextmanager
def serving(**settings: str) -> Iterator[Service]:
    """`elute serve` on its own PostgreSQL, in a home of its own, which is gone afterwards."""
    with new_home() as home:
        service = Service(home, {**without_settings(), **settings})
        try:
            yield service
        finally:
            status = service.process.stop(seconds=10)
            assert status == 0, service.process.said()


@contextmanager
def web_app(
    environment: Mapping[str, str],
    checkout: Path = CHECKOUT,
    program: Sequence[str] = ("-m", "dashboard.server"),
) -> Iterator[int]:
    """The web app alone, as `elute serve` has it; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [sys.executable, *program, "--socket", str(listener.fileno())]
        process = subprocess.Popen(
            command, env=environment, pass_fds=[listener.fileno()], cwd=checkout
        )
        with process:
            try:
                yield listener.getsockname()[1]
            finally:
                process.terminate()


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def until(
    condition: Callable[[], Found | None], seconds: float = LIMIT, session: Session | None = None
) -> Found:
    """Wait until the condition gives something true, and return that.

    Args:
        condition: asked again whenever the session is notified, and many times a second.
        seconds: the limit.
        session: listens on the channel of the runs.
    """
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it took too long"
        select.select([session] if session else [], [], [], 0.05)
        if session:
            session.poll()
            session.notifies.clear()
    return found


@contextmanager
def listening(parameters: Mapping[str, Any]) -> Iterator[Session]:
    """A session in autocommit mode that is told of what happens to runs."""
    with closing(psycopg2.connect(**parameters)) as session:
        session.autocommit = True
        session.cursor().execute("listen elute_runs")
        yield session


def ended(session: Session, run_id: int, seconds: float = LIMIT) -> Run:
    """The run, when it has ended."""

    def look() -> Run | None:
        run = queue.get(session, run_id)
        return run if run and run.has_ended else None

    try:
        return until(look, seconds, session)
    except AssertionError:
        raise AssertionError(f"run {run_id} goes on: {at_work(session)}") from None


def at_work(session: Session) -> list[tuple[Any, ...]]:
    """What the sessions of a database do, and what each waits for."""
    with session.cursor() as cursor:
        cursor.execute(
            "select application_name, state, wait_event, query from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
        return cursor.fetchall()


@contextmanager
def held_up(parameters: Mapping[str, Any]) -> Iterator[Session]:
    """Let any build wait for as long as this lasts: the raw tables are locked."""
    with closing(psycopg2.connect(**parameters)) as session, session.cursor() as cursor:
        cursor.execute("lock table raw.users, raw.compounds in access exclusive mode")
        yield session
        with suppress(psycopg2.Error):  # The server may have been stopped.
            session.rollback()


def waits_for_lock(session: Session, run_id: int) -> bool:
    """Whether the run has come to where it is held up."""
    with session.cursor() as cursor:
        cursor.execute(
            "select from pg_stat_activity where wait_event_type = 'Lock' and application_name = %s",
            [f"elute run {run_id}"],
        )
        return cursor.rowcount > 0


def processes_of(home: Path) -> list[int]:
    """The processes that were started for this home, by their environment."""
    wanted = f"ELUTE_HOME={home}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                pass
    return found


def pids_of(home: Path, word: str) -> list[int]:
    """Those with this word in their command line."""
    return [pid for pid in processes_of(home) if word in command_line(pid)]


def command_line(pid: int) -> list[str]:
    """The words that a process was started with; none if it has gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except OSError:
        return []
