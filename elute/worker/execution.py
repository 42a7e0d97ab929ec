"""One run, from its start to its end."""

import logging
import time

from dbt_warm import Event, Invocation, Outcome
from immutable_builds import STAYS

from elute.database.sessions import Session
from elute.failures import error_kind, explain, fault_of
from elute.runs import queue
from elute.runs.ending import end_by_fault, end_sessions, finish, finish_and_retry
from elute.runs.run import Run

_FLUSH_SECONDS = 0.1
_CHECK_SECONDS = 0.25
_DIED = f"dbt's process ended unexpectedly, as it does when memory runs out. {STAYS}"
STOPPED = f"The worker was told to stop. {STAYS}"
logger = logging.getLogger("elute.worker")


class Execution:
    """Follows a run and stores what happens in it.

    Args:
        session: the worker's, in autocommit mode.
        run: marked as running, its run lock held by the session.
        invocation: its dbt, just started.
        first: its first events.
    """

    def __init__(
        self, session: Session, run: Run, invocation: Invocation, first: list[Event]
    ) -> None:
        self._session, self._run, self._invocation = session, run, invocation
        self._unsaved = first
        self._saved_at = self._check_at = 0.0
        self._is_cancelled = self._is_stopped = False
        queue.describe(session, run.run_id, is_warm=invocation.is_warm)

    @property
    def seconds_left(self) -> float:
        """How long the worker may wait before it calls `advance` again, if dbt says nothing."""
        return _FLUSH_SECONDS if self._unsaved else _CHECK_SECONDS

    def advance(self, *, is_stopping: bool) -> bool:
        """Store what has happened since; False once the run has ended and that is stored.

        Args:
            is_stopping: the worker was told to stop.

        Raises:
            psycopg2.Error: the database is gone.
        """
        self._unsaved += self._invocation.read()
        if self._invocation.outcome is not None:
            self._save()
            self._end(self._invocation.outcome)
            return False
        if time.monotonic() >= self._saved_at + _FLUSH_SECONDS:
            self._save()
        if time.monotonic() >= self._check_at:
            self._check_at = time.monotonic() + _CHECK_SECONDS
            self._cancel_if_asked(is_stopping=is_stopping)
        return True

    def _save(self) -> None:
        queue.append_events(self._session, self._run.run_id, self._unsaved)
        self._unsaved.clear()
        self._saved_at = time.monotonic()

    def _cancel_if_asked(self, *, is_stopping: bool) -> None:
        if self._is_cancelled or self._is_stopped:
            return
        run = queue.get(self._session, self._run.run_id)
        self._is_cancelled = run is None or run.cancel_requested_at is not None
        self._is_stopped = is_stopping and not self._is_cancelled
        if self._is_cancelled or self._is_stopped:
            self._invocation.cancel()

    def _end(self, outcome: Outcome) -> None:
        session, run_id = self._session, self._run.run_id
        if outcome.succeeded:
            finish(session, run_id, "succeeded")
            return
        if not end_sessions(session, run_id):
            logger.warning("Run %d: the server still works for it.", run_id)
        if queue.has_published(session, run_id=run_id):
            finish(session, run_id, "succeeded")  # It was stopped, or died, too late for that.
        elif self._is_cancelled:
            finish(session, run_id, "cancelled")
        elif self._is_stopped:
            finish_and_retry(session, self._run, "stopped", error_kind="elute", error=STOPPED)
        elif outcome.status in ("died", "interrupted"):
            finish_and_retry(session, self._run, "crashed", error_kind="elute", error=_DIED)
        elif fault := fault_of(outcome):
            end_by_fault(session, self._run, fault, explain(outcome))
        else:
            kind, error = error_kind(outcome), explain(outcome)
            finish(session, run_id, "failed", error_kind=kind, error=error)
