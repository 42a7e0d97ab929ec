"""Noting a build in a terminal among the runs, beside the build and without disturbing it."""

import contextlib
import getpass
import os
import queue as queues
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import closing

import psycopg2
from dbt_warm import Event, Outcome

from elute import logs
from elute.database import schema
from elute.database.queries import execute
from elute.database.sessions import Session, connect
from elute.errors import EluteError
from elute.failures import error_kind, explain
from elute.runs import queue
from elute.runs.ending import finish, recover_terminal
from elute.runs.run import now
from elute.settings import Settings
from elute.workbooks import WorkbookError, files_signature

_BATCH_SECONDS = 0.2
_LAST_WORDS_SECONDS = 5.0
_End = Outcome | WorkbookError


class Recorder:
    """Takes dbt's events, and at last how it ended. If it cannot store them, the build goes on.

    Args:
        settings: where everything is; PG* are in our environment already.
        arguments: of the build, for people to read.

    Attributes:
        warnings: the names of the nodes that ended with status warn.
    """

    def __init__(self, settings: Settings, arguments: Sequence[str]) -> None:
        self._settings, self._arguments = settings, arguments
        self.warnings: list[str] = []
        self._news: queues.SimpleQueue[Event | _End] = queues.SimpleQueue()
        self._problem: str | None = None
        self._thread = threading.Thread(target=self._record, daemon=True)
        self._thread.start()

    def start(self) -> None:
        """Note that dbt begins with the files as they are now."""
        files = files_signature(self._settings.seeds_dir)
        self.add(Event(now(), "started", {"is_warm": False, "files": files}))

    def add(self, event: Event) -> None:
        """Store an event, soon."""
        if event.kind == "node_finished" and event.data["status"] == "warn":
            self.warnings.append(event.data["name"])
        self._news.put(event)

    def end(self, end: _End) -> str | None:
        """Note how it ended, and wait a moment for that to be written; the first time counts.

        Returns:
            What hindered it from being stored, if anything did; the log has it too.
        """
        self._news.put(end)
        self._thread.join(_LAST_WORDS_SECONDS)
        return self._problem

    def _record(self) -> None:
        try:
            schema.upgrade(os.environ)
            with closing(connect(name="elute terminal")) as session:
                recover_terminal(session)
                self._write(session)
        except (psycopg2.Error, EluteError) as error:
            self._problem = f"This build is not in the history: {' '.join(str(error).split())}"
            with contextlib.suppress(OSError):
                logs.write(self._settings, self._problem)

    def _write(self, session: Session) -> None:
        run_id = self._begin(session)
        end = None
        while end is None:
            events, end = self._next_batch()
            queue.append_events(session, run_id, events)
        if isinstance(end, WorkbookError):
            finish(session, run_id, "failed", error_kind="input", error=str(end))
        else:
            self._finish(session, run_id, end)

    def _finish(self, session: Session, run_id: int, outcome: Outcome) -> None:
        invocation_id = outcome.invocation_id
        noted = {"run_id": run_id, "invocation_id": invocation_id}
        execute(session, "note_publication", noted)
        if outcome.succeeded or queue.has_published(session, invocation_id=invocation_id):
            finish(session, run_id, "succeeded")
        elif outcome.status == "interrupted":
            finish(session, run_id, "cancelled")
        else:
            kind, error = error_kind(outcome), explain(outcome)
            finish(session, run_id, "failed", error_kind=kind, error=error)

    def _begin(self, session: Session) -> int:
        """The run, noted; whoever sees it sees its lock taken too."""
        with session:  # a transaction
            run = queue.note_terminal(session, _who(), self._arguments)
            execute(session, "lock_run", {"run_id": run.run_id})
            queue.describe(session, run.run_id, is_warm=False)
        return run.run_id

    def _next_batch(self) -> tuple[list[Event], _End | None]:
        news = [self._news.get()]
        until = time.monotonic() + _BATCH_SECONDS
        while isinstance(news[-1], Event) and time.monotonic() < until:
            with contextlib.suppress(queues.Empty):
                news.append(self._news.get(timeout=max(0.0, until - time.monotonic())))
        end = next((item for item in news if not isinstance(item, Event)), None)
        return [item for item in news if isinstance(item, Event)], end


def _who() -> str:
    try:
        account = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        account = str(os.geteuid())
    return f"{account} on {socket.gethostname()}"
