"""What the active worker does for as long as its session with the database lasts."""

import logging
import time
from contextlib import closing
from typing import Any

from dbt_warm import Event, WarmDbt

from elute import provenance, workbooks
from elute.database.faults import Fault
from elute.database.queries import execute
from elute.database.sessions import Session, accepts_sessions
from elute.provenance import RebuildError
from elute.runs import queue
from elute.runs.ending import finish, finish_and_retry, recover, recover_terminal
from elute.runs.run import Run, now
from elute.settings import Settings
from elute.signals import Waiter
from elute.workbooks import WorkbookError
from elute.worker import dbt_commands
from elute.worker.docs import Docs
from elute.worker.execution import STOPPED, Execution
from elute.worker.messenger import Messenger
from elute.worker.triggers import Triggers

_MESSAGES = "elute_messages"
_UNIT_TESTED = "The unit tests passed with this project and these options; they are not run again."
_COLD = "dbt cannot be kept loaded ({}), so it is loaded anew for this run."
_IDLE_SECONDS = 2.0
_CHECK_SECONDS = 5.0
logger = logging.getLogger("elute.worker")


class _BrokenOffError(Exception):
    """A run is cancelled, or the worker told to stop, before dbt has begun."""


class RunLoop:
    """Takes runs from the queue, one at a time.

    The session is in autocommit mode, and holds the lock that makes its worker the active one.
    """

    def __init__(
        self, session: Session, settings: Settings, waiter: Waiter, dbt: WarmDbt, docs: Docs
    ) -> None:
        self._session, self._settings, self._waiter = session, settings, waiter
        self._dbt, self._docs = dbt, docs
        self._messenger = Messenger(settings)
        self._triggers = Triggers(session, settings)
        self._check_at = 0.0
        # Project and options with which the unit tests have passed. They know nothing of the files.
        self._unit_tested: tuple[str, dict[str, str]] | None = None

    def begin(self, fault: Fault | None, *, is_first: bool) -> None:
        """Recover what others have left, and request the first build of all.

        Args:
            fault: why this worker lost its session, if it did.
            is_first: the worker has just come.
        """
        execute(self._session, "listen")
        execute(self._session, "listen_messages")
        recover(self._session, fault)
        if is_first:
            self._triggers.first_build()

    def run(self) -> None:
        """Go on until told to stop, or until the database is about to go.

        Raises:
            psycopg2.Error: it is gone.
        """
        with closing(self._messenger):
            self._messenger.start(self._session)
            self._run()

    def _run(self) -> None:
        while not self._waiter.is_stopping:
            if time.monotonic() >= self._check_at:
                if not accepts_sessions():
                    return
                self._check_at = time.monotonic() + _CHECK_SECONDS
            self._triggers.check()
            run = queue.start_next(self._session) if self._dbt.is_ready else None
            if run:
                self._execute(run)
            else:
                self._idle()

    def _execute(self, run: Run) -> None:
        logger.info("Run %d: started (%s).", run.run_id, run.trigger)
        execute(self._session, "lock_run", {"run_id": run.run_id})
        self._docs.stop()
        try:
            self._build(run)
        except (RebuildError, WorkbookError) as error:
            finish(self._session, run.run_id, "failed", error_kind="input", error=str(error))
        except _BrokenOffError:
            finish_and_retry(self._session, run, "stopped", error_kind="elute", error=STOPPED)
        execute(self._session, "unlock_run", {"run_id": run.run_id})
        execute(self._session, "forget_events", {"keep_runs": self._settings.keep_runs})

    def _build(self, run: Run) -> None:
        read: dict[str, Any] = {}
        as_it_was, taken_in = None, []
        if "returns_to" in run.options:
            build = run.options["returns_to"]
            as_it_was = provenance.as_it_was(self._session, self._settings, build)
        else:
            taken_in = workbooks.take_in(self._settings, lambda: self._go_on_before(run))
            read["files"] = self._triggers.files()
        project = provenance.project_sha256(), provenance.options_of(self._settings, run.options)
        is_tested = as_it_was is None and project == self._unit_tested
        invocation = dbt_commands.build(
            self._dbt, self._settings, run, as_it_was, is_unit_tested=is_tested
        )
        with closing(invocation):
            first = [Event(now(), "started", {"is_warm": invocation.is_warm, **read})]
            first += [_log("info", said) for said in taken_in]
            if not invocation.is_warm:
                first.append(_log("warn", _COLD.format(self._dbt.problem)))
            if is_tested:
                first.append(_log("info", _UNIT_TESTED))
            execution = Execution(self._session, run, invocation, first)
            while execution.advance(is_stopping=self._waiter.is_stopping):
                self._triggers.check()
                self._wait(execution.seconds_left, invocation)
        succeeded = invocation.outcome is not None and invocation.outcome.succeeded
        if succeeded and as_it_was is None and provenance.project_sha256() == project[0]:
            self._unit_tested = project

    def _go_on_before(self, run: Run) -> None:
        """Look after all else before dbt begins; break off if the run is not wanted any more."""
        self._wait(0)
        current = queue.get(self._session, run.run_id)
        if self._waiter.is_stopping or current is None or current.cancel_requested_at:
            raise _BrokenOffError

    def _idle(self) -> None:
        recover_terminal(self._session)
        self._dbt.renew()
        for newest in execute(self._session, "newest_project"):
            self._docs.advance(newest["project"])
        seconds = min(_IDLE_SECONDS, self._triggers.seconds_left())
        self._wait(seconds, *self._dbt.loading(), *self._docs.active())

    def _wait(self, seconds: float, *others: object) -> None:
        """Wait at most so long for a notification, one of these, or a signal to stop."""
        self._session.poll()
        if not self._session.notifies:
            self._waiter.wait(seconds, self._session, *others)
            self._session.poll()
        for notice in self._session.notifies:
            if notice.channel == _MESSAGES:
                self._messenger.wake(notice.payload)
        self._session.notifies.clear()


def _log(level: str, message: str) -> Event:
    return Event(now(), "log", {"level": level, "message": message})
