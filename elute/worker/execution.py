"""One run, from its start to its end."""

import logging
import time
from typing import Any, Protocol

from elute.database.sessions import Session
from elute.dbt_run import Outcome
from elute.failures import explain
from elute.runs import queue
from elute.runs.run import Run
from elute.worker.child import read_happening
from elute.worker.ending import finish, finish_and_try_again, has_published
from elute.worker.events import Happening, now, storable
from elute.worker.invocation import Invocation
from elute.worker.recovery import end_sessions

_FLUSH_SECONDS = 0.1
_LOOK_SECONDS = 0.25
_GRACE = 4.0  # seconds that dbt has to stop by itself before it is killed
_KILL_SECONDS = 1.5  # that the kill has to take effect
_DIED = "dbt's process ended unexpectedly. What was published before stays."
_STOPPED = "The worker was told to stop. What was published before stays."
logger = logging.getLogger("elute.worker")


class Surroundings(Protocol):
    """What a run needs of the worker while it goes on."""

    def wait(self, seconds: float, invocation: Invocation) -> None:
        """Wait at most so long for the invocation, or whatever else wakes the worker."""

    def see_to_others(self) -> None:
        """Called a few times a second."""

    @property
    def is_stopping(self) -> bool:
        """Whether the worker was told to stop."""


class Execution:
    """Carries one run out and notes what happens in it.

    Args:
        session: the worker's, in autocommit mode.
        run: marked as running, its run lock held by the session.
        invocation: its dbt, just started.
        worker: what goes on around it.
    """

    def __init__(
        self, session: Session, run: Run, invocation: Invocation, worker: Surroundings
    ) -> None:
        self._session, self._run, self._invocation = session, run, invocation
        self._worker = worker
        self._unsaved: list[Happening] = []
        self._saved_at = self._look_at = 0.0
        self._outcome: Outcome | None = None
        self._is_cancelled = False
        self._kill_at: float | None = None

    def carry_out(self, first: list[Happening]) -> None:
        """Go on until it has ended, and note that.

        Raises:
            psycopg2.Error: the database is gone.
        """
        self._unsaved += first
        queue.describe(self._session, self._run.run_id, is_warm=self._invocation.is_warm)
        while not self._invocation.has_ended:
            self._save()
            self._worker.wait(_FLUSH_SECONDS if self._unsaved else _LOOK_SECONDS, self._invocation)
            self._read()
            self._stop_if_asked()
        self._save(at_once=True)
        self._end()

    def _read(self) -> None:
        for message in self._invocation.messages():
            if "outcome" in message:
                self._outcome = Outcome.from_json(message["outcome"])
            else:
                happening = read_happening(message)
                self._unsaved.append(happening)
                if happening[1] == "nodes":
                    queue.describe(self._session, self._run.run_id, **happening[2])

    def _save(self, *, at_once: bool = False) -> None:
        """Store what has happened, a few times a second."""
        if at_once or time.monotonic() - self._saved_at >= _FLUSH_SECONDS:
            queue.append_events(self._session, self._run.run_id, self._unsaved)
            self._unsaved.clear()
            self._saved_at = time.monotonic()

    def _stop_if_asked(self) -> None:
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + _LOOK_SECONDS
        self._worker.see_to_others()
        if self._kill_at is None:
            run = queue.get(self._session, self._run.run_id)
            self._is_cancelled = run is None or run.cancel_requested_at is not None
            if self._is_cancelled or self._worker.is_stopping:
                self._invocation.interrupt()
                self._kill_at = time.monotonic() + _GRACE
        elif time.monotonic() > self._kill_at + _KILL_SECONDS:
            self._invocation.give_up()
        elif time.monotonic() > self._kill_at:
            self._invocation.kill()

    def _end(self) -> None:
        session, run_id, outcome = self._session, self._run.run_id, self._outcome
        if outcome is not None and outcome.succeeded:
            finish(session, run_id, "succeeded")
            return
        if not end_sessions(session, run_id):
            logger.warning("Run %d: the server still works for it.", run_id)
        if has_published(session, run_id=run_id, invocation_id=None):
            finish(
                session, run_id, "succeeded"
            )  # It was stopped, or died, too late to change that.
        elif self._is_cancelled:
            finish(session, run_id, "cancelled")
        elif self._kill_at is not None:
            finish_and_try_again(session, self._run, "stopped", error_kind="elute", error=_STOPPED)
        elif outcome is None or outcome.interrupted:
            finish_and_try_again(session, self._run, "crashed", error_kind="elute", error=_DIED)
        else:
            finish(
                session,
                run_id,
                "failed",
                error_kind=outcome.error_kind,
                error=storable(explain(outcome)),
            )


def started(is_warm: bool, files: Any, reason: str | None) -> list[Happening]:
    """The first events of a run: that it has started, and why dbt had to be loaded for it."""
    events: list[Happening] = [(now(), "started", {"is_warm": is_warm, "files": files})]
    if not is_warm:
        message = f"dbt cannot be kept loaded ({reason}), so it is loaded anew for this run."
        events.append((now(), "log", {"level": "warn", "message": message}))
    return events
