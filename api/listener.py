"""Waiting for runs to change: one listening session for all the requests of this process."""

import logging
import os
import select
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager

import psycopg2

from api import database
from elute.database.sessions import Session, connect
from elute.errors import EluteError
from elute.runs import queue

POLL_SECONDS = 1.0  # how long to wait at most while the listening session is down
_LOG = logging.getLogger("elute.web")


class Changes:
    """The changes of one run, or of all, since it was last waited for."""

    def __init__(self, listener: "Listener") -> None:
        self._listener = listener
        self.happened = threading.Event()

    def wait(self, seconds: float) -> bool:
        """Wait for a change since the last wait; False if there seems to be none.

        Without a database it returns early and says False: look yourself, and wait again.
        """
        if not self._listener.is_listening:
            seconds = min(seconds, POLL_SECONDS)
        happened = self.happened.wait(seconds)
        self.happened.clear()
        return happened


class Listener:
    """A thread that listens, started when first needed, and whoever waits for it."""

    def __init__(self) -> None:
        self._renew()
        os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._followers: dict[Changes, int | None] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self.is_listening = False

    @contextmanager
    def follow(self, run_id: int | None = None) -> Iterator[Changes]:
        """Begin to note the changes of a run (of all runs: None); look at the run after that."""
        changes = Changes(self)
        with self._lock:
            self._followers[changes] = run_id
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="listener", daemon=True)
                self._thread.start()
        try:
            yield changes
        finally:
            with self._lock:
                del self._followers[changes]

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                database.prepare_database()
                with closing(connect()) as session:
                    self._listen(session)
            except (EluteError, psycopg2.Error, OSError) as error:
                if self.is_listening:
                    _LOG.warning("Not listening for runs: %s", " ".join(str(error).split()))
            except Exception:  # Whoever waits counts on this thread.
                _LOG.exception("Not listening for runs")
            self.is_listening = False
            self._wake(None)
            self._stopped.wait(POLL_SECONDS)

    def _listen(self, session: Session) -> None:
        session.autocommit = True
        queue.execute(session, "listen")
        self.is_listening = True
        self._wake(None)  # Nobody told us of what happened until now.
        ready = select.poll()  # Unlike select(), for file numbers of any size.
        ready.register(session.fileno(), select.POLLIN)
        while not self._stopped.is_set():
            ready.poll(60_000)
            session.poll()
            for notice in session.notifies:
                self._wake(int(notice.payload) if notice.payload.isdecimal() else None)
            session.notifies.clear()

    def _wake(self, run_id: int | None) -> None:
        with self._lock:
            for changes, wanted in self._followers.items():
                if run_id is None or wanted in (None, run_id):
                    changes.happened.set()


_LISTENER = Listener()


def is_listening() -> bool:
    """Whether changes are told at once; otherwise, waiting is polling."""
    return _LISTENER.is_listening


def follow(run_id: int | None = None) -> AbstractContextManager[Changes]:
    """Note the changes of one run, or of all of them, while in a `with` block."""
    return _LISTENER.follow(run_id)
