"""Workers and services as real processes, and waiting for what they do."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import psycopg2

from api.database import Session
from api.runs import queue
from api.runs.run import Run
from api.settings import CHECKOUT

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
                [sys.executable, "-m", "api.cli", *arguments],
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
        return self.process.wait(seconds)


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

    return until(look, seconds, session)


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


def command_line(pid: int) -> list[str]:
    """The words that a process was started with; none if it has gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except OSError:
        return []
