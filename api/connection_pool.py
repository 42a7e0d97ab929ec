"""Sharing sessions among threads: kept open, handed round, thrown away when they have died."""

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE as IDLE

from api.measuring import database_time
from api.problems import unavailable
from elute.database.sessions import Session

Result = TypeVar("Result")
SIZE = 16  # sessions in a pool; more would only queue in the server
WAIT_SECONDS = 10


class Pool:
    """At most SIZE sessions, made when they are first needed.

    Args:
        connect: opens a session that commits each statement by itself.
        most_waiting: how many may wait for a session; whoever comes then is told at once.

    Attributes:
        waiting: how many ask for a session and have none yet.
        in_use: sessions that are borrowed.
    """

    def __init__(self, connect: Callable[[], Session], most_waiting: float = math.inf) -> None:
        self._connect, self._most_waiting = connect, most_waiting
        self._idle: list[Session] = []
        self._turns = threading.Condition()
        self.waiting = self.in_use = 0

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Borrow a session; each statement commits by itself.

        Raises:
            ServerError: there is no server.
            Problem: 503, all sessions are taken and none came back in time.
        """
        with database_time(), self._turn():
            idle = self._idle
            session = _taken(idle) or self._connect()
            try:
                yield session
            finally:
                is_idle = not session.closed and session.info.transaction_status == IDLE
                if is_idle and idle is self._idle:
                    idle.append(session)
                else:  # It has died, or something broke off in the middle, or all are to go.
                    session.close()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with self._turns:
            self.waiting += 1
            is_free = self.waiting <= self._most_waiting and self._turns.wait_for(
                lambda: self.in_use < SIZE, WAIT_SECONDS
            )
            self.waiting -= 1
            self.in_use += is_free
        if not is_free:
            detail = "Too many requests at once for the database. Try again shortly."
            raise unavailable("Busy", detail)
        try:
            yield
        finally:
            with self._turns:
                self.in_use -= 1
                self._turns.notify()

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
        """Close all sessions, those in use when they come back: if one has died, so have they."""
        idle, self._idle = self._idle, []
        while session := _taken(idle):
            session.close()


def _taken(idle: list[Session]) -> Session | None:
    try:
        return idle.pop()
    except IndexError:  # Other threads take from it at the same time.
        return None
