"""Sharing sessions among threads: kept open, handed round, thrown away when they have died."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from api.problems import unavailable
from elute.database.sessions import Session

Result = TypeVar("Result")
SIZE = 16  # sessions in a pool; more would only queue in the server
WAIT_SECONDS = 10


class Pool:
    """At most SIZE sessions, made when they are first needed.

    Args:
        connect: opens a session that commits each statement by itself.
    """

    def __init__(self, connect: Callable[[], Session]) -> None:
        self._connect = connect
        self._idle: list[Session] = []
        self._free = threading.Semaphore(SIZE)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Borrow a session; each statement commits by itself.

        Raises:
            ServerError: there is no server.
            Problem: 503, all sessions are taken and none came back in time.
        """
        if not self._free.acquire(timeout=WAIT_SECONDS):
            raise unavailable(
                "Busy",
                "Too many requests at once for the database. Try again shortly.",
            )
        try:
            session = self._idle_or_new()
            try:
                yield session
            finally:
                if session.closed or session.info.transaction_status != TRANSACTION_STATUS_IDLE:
                    session.close()  # It has died, or something broke off in the middle.
                else:
                    self._idle.append(session)
        finally:
            self._free.release()

    def read(self, function: Callable[[Session], Result]) -> Result:
        """Call `function` with a session; once more if that session turns out to be dead."""
        with self.session() as session:
            try:
                return function(session)
            except (psycopg2.OperationalError, psycopg2.InterfaceError):
                if not session.closed:
                    raise
        self.forget()
        with self.session() as session:
            return function(session)

    def forget(self) -> None:
        """Close the sessions that nobody uses: if one has died, so have the others."""
        with suppress(IndexError):  # Other threads take from the list at the same time.
            while True:
                self._idle.pop().close()

    def _idle_or_new(self) -> Session:
        try:
            return self._idle.pop()
        except IndexError:
            return self._connect()
