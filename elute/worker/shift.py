"""What the active worker does for as long as its session with the database lasts."""

import logging
from contextlib import closing

from elute.database.sessions import Session
from elute.runs import queue
from elute.runs.run import Run
from elute.settings import Settings
from elute.worker.dbt_processes import DbtProcesses
from elute.worker.demands import Demands
from elute.worker.docs import Docs
from elute.worker.execution import Execution, started
from elute.worker.jobs import build_job
from elute.worker.recovery import recover, recover_terminal
from elute.worker.signals import Waiter

_IDLE_SECONDS = 2.0
logger = logging.getLogger("elute.worker")


class Shift:
    """Takes runs from the queue, one at a time.

    Args:
        session: in autocommit mode, and holds the lock that makes its worker the active one.
        settings: where everything is.
        waiter: tells when to stop.
        dbt: started.
        docs: of what was published.

    Attributes:
        running: the run that is being carried out.
    """

    def __init__(
        self, session: Session, settings: Settings, waiter: Waiter, dbt: DbtProcesses, docs: Docs
    ) -> None:
        self._session, self._settings, self._waiter = session, settings, waiter
        self._dbt, self._docs = dbt, docs
        self._demands = Demands(session, settings)
        self.running: int | None = None

    def begin(self, lost: int | None, *, is_first: bool) -> None:
        """Put in order what others have left, and ask for the first build of all.

        Args:
            lost: the run during which this worker lost the database.
            is_first: the worker has just come.
        """
        queue.execute(self._session, "listen")
        recover(self._session, lost)
        if is_first:
            self._demands.first_build()

    def run(self) -> None:
        """Go on until told to stop.

        Raises:
            psycopg2.Error: the database is gone.
        """
        while not self._waiter.is_stopping:
            self._demands.ask()
            run = queue.start_next(self._session) if self._dbt.is_ready else None
            if run:
                self._carry_out(run)
            else:
                self._idle()

    @property
    def is_stopping(self) -> bool:
        """Whether the worker was told to stop."""
        return self._waiter.is_stopping

    def see_to_others(self) -> None:
        """Ask for what is due while a run goes on."""
        self._demands.ask()

    def wait(self, seconds: float, *others: object) -> None:
        """Wait at most so long for news from the database or one of these, or the word to stop."""
        self._session.poll()
        if not self._session.notifies:
            self._waiter.wait(seconds, self._session, *others)
            self._session.poll()
        self._session.notifies.clear()

    def _carry_out(self, run: Run) -> None:
        logger.info("Run %d: started (%s).", run.run_id, run.trigger)
        self.running = run.run_id
        queue.execute(self._session, "lock_run", {"run_id": run.run_id})
        self._docs.give_way()
        files = self._demands.files()
        with closing(self._dbt.invoke(build_job(self._settings, run))) as invocation:
            first = started(invocation.is_warm, files, self._dbt.reason)
            Execution(self._session, run, invocation, self).carry_out(first)
        queue.execute(self._session, "unlock_run", {"run_id": run.run_id})
        self.running = None
        queue.forget_events(self._session, self._settings.keep_runs)

    def _idle(self) -> None:
        recover_terminal(self._session)
        self._dbt.renew()
        [latest] = queue.execute(self._session, "last_published")
        self._docs.are_of(latest["moment"])
        self._docs.go_on()
        seconds = min(_IDLE_SECONDS, self._demands.seconds_left())
        self.wait(seconds, *self._dbt.being_prepared(), *self._docs.going_on())
