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
from typing import TYPE_CHECKING

import psycopg2

from elute import log_file
from elute.commands.check import COLUMNS
from elute.database import schema
from elute.database.sessions import Session, connect
from elute.dbt_run import Outcome
from elute.errors import EluteError
from elute.failures import explain
from elute.runs import queue
from elute.settings import Settings
from elute.worker.ending import finish, has_published, transaction
from elute.worker.events import Happening, Translator, now
from elute.worker.recovery import recover_terminal
from elute.worker.signature import files_signature

if TYPE_CHECKING:
    from dbt_common.events.base_types import EventMsg

_BATCH_SECONDS = 0.2
_LAST_WORDS_SECONDS = 5.0


class Recorder:
    """Call it with dbt's events, and `end` it. If it cannot note anything, only the log says so.

    `invocation_id` is dbt's, once there was an event.

    Args:
        settings: where everything is; PG* are in our environment already.
        arguments: of the build, for people to read.
    """

    def __init__(self, settings: Settings, arguments: Sequence[str]) -> None:
        self._settings, self._arguments = settings, arguments
        self.invocation_id: str | None = None
        self._news: queues.SimpleQueue[Happening | Outcome] = queues.SimpleQueue()
        self._translate = Translator(self._news.put, os.environ.get("PGPASSWORD", ""))
        self._thread = threading.Thread(target=self._record, daemon=True)
        self._thread.start()

    def __call__(self, event: "EventMsg") -> None:
        """One of dbt's events."""
        self.invocation_id = event.info.invocation_id  # type: ignore[attr-defined]
        self._translate(event)

    def end(self, outcome: Outcome) -> None:
        """Note how it ended, and wait a moment for that to be written."""
        self._news.put(outcome)
        self._thread.join(_LAST_WORDS_SECONDS)

    def _record(self) -> None:
        try:
            schema.upgrade(os.environ)
            with closing(connect(name="elute terminal")) as session:
                session.autocommit = True
                recover_terminal(session)
                self._write(session)
        except (psycopg2.Error, EluteError) as error:
            message = f"This build is not in the history: {' '.join(str(error).split())}"
            with contextlib.suppress(OSError):
                log_file.write(self._settings, message)

    def _write(self, session: Session) -> None:
        run_id = self._begin(session)
        outcome = None
        while outcome is None:
            events, outcome = self._next_batch()
            queue.append_events(session, run_id, events)
            for _, kind, data in events:
                if kind == "nodes":
                    queue.describe(session, run_id, **data)
        if outcome.succeeded or has_published(
            session, run_id=None, invocation_id=self.invocation_id
        ):
            finish(session, run_id, "succeeded")
        elif outcome.interrupted:
            finish(session, run_id, "cancelled")
        else:
            finish(session, run_id, "failed", error_kind=outcome.error_kind, error=explain(outcome))

    def _begin(self, session: Session) -> int:
        """The run, noted; whoever sees it sees its lock taken too."""
        files = files_signature(self._settings.seeds_dir, tuple(COLUMNS))
        with transaction(session):
            run = queue.note_terminal(session, _who(), self._arguments)
            queue.execute(session, "lock_run", {"run_id": run.run_id})
            data = {"is_warm": False, "files": files}
            queue.append_events(session, run.run_id, [(now(), "started", data)])
            queue.describe(session, run.run_id, is_warm=False)
        return run.run_id

    def _next_batch(self) -> tuple[list[Happening], Outcome | None]:
        news = [self._news.get()]
        until = time.monotonic() + _BATCH_SECONDS
        while not isinstance(news[-1], Outcome) and time.monotonic() < until:
            with contextlib.suppress(queues.Empty):
                news.append(self._news.get(timeout=max(0.0, until - time.monotonic())))
        outcome = next((item for item in news if isinstance(item, Outcome)), None)
        return [item for item in news if not isinstance(item, Outcome)], outcome


def _who() -> str:
    try:
        account = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        account = str(os.geteuid())
    return f"{account} on {socket.gethostname()}"
