"""Waiting for runs to change: one listening session for all requests."""

import logging
import select
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import psycopg2

from elute.database.queries import execute
from elute.database.sessions import Session
from elute.errors import EluteError

POLL_SECONDS = 1.0  # how long to wait at most while the listening session is down
RENEW_SECONDS = 5.0  # until the listening session is opened anew; see `sessions.accepts_sessions`
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
    """A thread that listens, while it can or somebody waits for it.

    Args:
        connect: opens a session that commits each statement by itself.

    Attributes:
        is_listening: whether changes are told at once; otherwise, waiting is polling.
    """

    def __init__(self, connect: Callable[[], Session]) -> None:
        self._connect = connect
        self._followers: dict[Changes, int | None] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self.is_listening = False

    def start(self) -> None:
        """Begin to listen, if that has not begun."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="listener", daemon=True)
                self._thread.start()

    @contextmanager
    def follow(self, run_id: int | None = None) -> Iterator[Changes]:
        """Begin to note the changes of a run (of all runs: None); look at the run after that."""
        changes = Changes(self)
        with self._lock:
            self._followers[changes] = run_id
        self.start()
        try:
            yield changes
        finally:
            with self._lock:
                del self._followers[changes]

    def _run(self) -> None:
        while True:
            try:
                with closing(self._connect()) as session:
                    self._listen(session)
                continue
            except (EluteError, psycopg2.Error, OSError) as error:
                if self.is_listening:
                    _LOG.warning("Not listening for runs: %s", " ".join(str(error).split()))
            except Exception:  # Whoever waits counts on this thread.
                _LOG.exception("Not listening for runs")
            self.is_listening = False
            self._wake(None)
            with self._lock:
                if not self._followers:  # Who comes next, or finds the server again, starts anew.
                    self._thread = None
                    return
            time.sleep(POLL_SECONDS)

    def _listen(self, session: Session) -> None:
        execute(session, "listen")
        self.is_listening = True
        self._wake(None)  # Nobody told us of what happened until now.
        ready = select.poll()  # Unlike select(), for file numbers of any size.
        ready.register(session.fileno(), select.POLLIN)
        end = time.monotonic() + RENEW_SECONDS
        while (seconds := end - time.monotonic()) > 0:
            ready.poll(1000 * seconds)
            session.poll()
            for notice in session.notifies:
                self._wake(int(notice.payload) if notice.payload.isdecimal() else None)
            session.notifies.clear()

    def _wake(self, run_id: int | None) -> None:
        with self._lock:
            for changes, wanted in self._followers.items():
                if run_id is None or wanted in (None, run_id):
                    changes.happened.set()
