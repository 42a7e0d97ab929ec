"""The worker: takes runs from the queue, one at a time, and carries them out."""

import itertools
import logging
import os
from contextlib import closing

import psycopg2

from elute import logs
from elute.database import faults, schema
from elute.database.queries import execute
from elute.database.server import connection_environment
from elute.database.sessions import Session, accepts_sessions, connect
from elute.environment import drop_foreign, project_environment
from elute.errors import ServerError
from elute.settings import Settings
from elute.signals import Waiter
from elute.worker.dbt_commands import warm_dbt
from elute.worker.docs import Docs
from elute.worker.run_loop import RunLoop

_STAND_BY_SECONDS = 1.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0  # seconds between two tries to reach the database
logger = logging.getLogger("elute.worker")


class Worker:
    """Of several workers, one is active; the others stand by."""

    def __init__(self, settings: Settings, waiter: Waiter) -> None:
        self._settings, self._waiter = settings, waiter
        self._dbt = warm_dbt(settings)
        self._docs = Docs(settings, self._dbt)
        self._fault: faults.Fault | None = None  # why the last session was lost
        self._is_first_time = True
        self._pause = _FIRST_PAUSE

    def run(self) -> None:
        """Work until told to stop, whatever becomes of the database meanwhile."""
        try:
            while not self._waiter.is_stopping:
                self._work_until_it_breaks()
        except KeyboardInterrupt:
            pass
        finally:
            self._docs.stop()
            self._dbt.stop()

    def _work_until_it_breaks(self) -> None:
        try:
            with closing(self._connect()) as session:
                self._work(session)
        except (psycopg2.Error, ServerError) as error:
            if isinstance(error, psycopg2.Error):
                self._fault = faults.of_error(error)
            logger.warning("%s", " ".join(str(error).split()))
            self._waiter.wait(self._pause)
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def _connect(self) -> Session:
        # Elute's own server is started again, and may be on another port then.
        with self._waiter.breaking_off():
            os.environ.update(connection_environment(self._settings))
            schema.upgrade(os.environ)
        return connect(name="elute worker")

    def _work(self, session: Session) -> None:
        if not self._become_active(session):
            return
        self._dbt.start()
        loop = RunLoop(session, self._settings, self._waiter, self._dbt, self._docs)
        loop.begin(self._fault, is_first=self._is_first_time)
        self._fault = None
        self._pause = _FIRST_PAUSE
        self._is_first_time = False
        loop.run()

    def _become_active(self, session: Session) -> bool:
        for attempt in itertools.count():
            if self._waiter.is_stopping:
                break
            [row] = execute(session, "lock_worker")
            if row["is_locked"]:
                logger.info("Active: taking runs.")
                return True
            if attempt == 0:
                logger.info("Another worker is active: standing by.")
                self._fault = None
            elif attempt % 5 == 0 and not accepts_sessions():
                break
            self._waiter.wait(_STAND_BY_SECONDS)
        return False


def run(settings: Settings, lifeline: int | None = None) -> int:
    """`elute worker`: work until told to stop.

    Args:
        settings: all of them.
        lifeline: descriptor of a pipe; when its other end is closed, it is time to stop.
    """
    waiter = Waiter(lifeline)
    waiter.listen()
    logs.configure(settings, "worker")
    drop_foreign(settings)
    os.environ.update(project_environment(settings))
    Worker(settings, waiter).run()
    return 0
