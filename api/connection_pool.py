"""Sharing sessions among threads: kept open, handed round, thrown away when they have died."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from api.problems import RETRY_SECONDS, Problem
from elute.database.sessions import Session

Answer = TypeVar("Answer")
SIZE = 16  # sessions in a pool; more would only queue in the server
WAIT_SECONDS = 10


class Pool:
    """At most SIZE sessions, made when they are first needed.

    Args:
        connect: opens a session that commits each statement by itself.
    """

    def __init__(self, connect: Callable[[], Session]) -> None:
        self._connect = connect
        self._renew()
        # A session belongs to the process that opened it.
        os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._idle: list[Session] = []
        self._open = self._waiting = 0
        self._changed = threading.Condition()

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Borrow a session; each statement commits by itself.

        Raises:
            ServerError: there is no server.
            Problem: 503, all sessions are taken and none came back in time.
        """
        session = self._take()
        try:
            yield session
        finally:
            self._give_back(session)

    def read(self, function: Callable[[Session], Answer]) -> Answer:
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
        count = 0
        with suppress(IndexError):  # From the list that others give back to at the same time.
            while True:
                self._idle.pop().close()
                count += 1
        self._vacate(count)

    def _take(self) -> Session:
        try:
            return self._idle.pop()
        except IndexError:
            return self._wait() or self._open_one()

    def _wait(self) -> Session | None:
        """An idle session, or None and the right to open one."""
        deadline = time.monotonic() + WAIT_SECONDS
        with self._changed:
            self._waiting += 1  # Before looking: who gives back looks at this after giving.
            try:
                while not self._idle:
                    if self._open < SIZE:
                        self._open += 1
                        return None
                    if not self._changed.wait(deadline - time.monotonic()):
                        raise _busy()
                return self._idle.pop()
            finally:
                self._waiting -= 1

    def _open_one(self) -> Session:
        try:
            return self._connect()
        except BaseException:
            self._vacate(1)
            raise

    def _give_back(self, session: Session) -> None:
        status = session.info.transaction_status
        if session.closed or status != TRANSACTION_STATUS_IDLE:
            session.close()  # It has died, or something broke off in the middle.
            self._vacate(1)
            return
        self._idle.append(session)
        if self._waiting:
            self._vacate(0)

    def _vacate(self, count: int) -> None:
        with self._changed:
            self._open -= count
            self._changed.notify()


def _busy() -> Problem:
    return Problem(
        503,
        "Busy",
        "Too many requests at once for the database. Try again shortly.",
        headers={"Retry-After": str(RETRY_SECONDS)},
    )
