"""Database sessions for requests: kept open, shared out, thrown away when they have died."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import psycopg2
import psycopg2.errors
from psycopg2 import sql
from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from api.database import Session, connect
from api.errors import EluteError
from api.runs import schema
from api.settings import Settings
from api.web.problems import Problem

Answer = TypeVar("Answer")
SIZE = 16  # sessions of each kind; more would only queue in the server
WAIT_SECONDS = 10
READ_TIMEOUT = "5min"  # for a single query: a reader's lock keeps a build from publishing
_READER_OPTIONS = f"""
set default_transaction_read_only = on; set statement_timeout = '{READ_TIMEOUT}';
set client_encoding = 'UTF8'; set datestyle = 'ISO'; set jit = off;
"""


class Pool:
    """At most SIZE sessions, made when they are first needed.

    Args:
        prepare: called with each new session, before anybody uses it.
    """

    def __init__(self, prepare: Callable[[Session], None]) -> None:
        self._prepare = prepare
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
        idle, self._idle = self._idle, []
        for session in idle:
            session.close()
        self._vacate(len(idle))

    def _take(self) -> Session:
        try:
            return self._idle.pop()
        except IndexError:
            return self._wait() or self._connect()

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

    def _connect(self) -> Session:
        try:
            prepare_database()
            session = connect()
            session.autocommit = True
            self._prepare(session)
        except BaseException:
            self._vacate(1)
            raise
        return session

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
        headers={"Retry-After": "2"},
    )


def _prepare_owner(session: Session) -> None:
    session.set_client_encoding("UTF8")


def _prepare_reader(session: Session) -> None:
    with session.cursor() as cursor:
        cursor.execute(_READER_OPTIONS)
        _DATABASE.place = _place(cursor)
        if schema.has_reader(session):
            cursor.execute(sql.SQL("set role {}").format(sql.Identifier(schema.READER)))


def _place(cursor: Cursor) -> str:
    """What tells this cluster from any other, even one made anew in the same folder."""
    try:
        cursor.execute("select system_identifier::text from pg_control_system()")
    except psycopg2.errors.InsufficientPrivilege:
        return ""
    row = cursor.fetchone()
    return str(row[0]) if row else ""


class _Database:
    """Whether this process has found its database and brought the schema up to date."""

    def __init__(self) -> None:
        self.settings: Settings | None = None
        self.is_ready, self.place = False, ""
        self.lock = threading.Lock()
        os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self.lock, self.is_ready = threading.Lock(), False

    def prepare(self) -> None:
        with self.lock:
            if self.is_ready:
                return
            if not os.environ.get("PGHOST"):
                from api.environment import environment  # noqa: PLC0415

                os.environ.update(environment(self.settings or Settings.from_environment()))
            schema.upgrade(os.environ)
            self.is_ready = True


_DATABASE = _Database()
_OWNER = Pool(_prepare_owner)
_READER = Pool(_prepare_reader)


def configure(settings: Settings) -> None:
    """Say which settings to find the database by, where PG* do not name it."""
    _DATABASE.settings = settings


def prepare_database() -> None:
    """Find the database and bring Elute's schema up to date, once in this process.

    Raises:
        ServerError: it cannot be reached; the next call tries again.
    """
    if not _DATABASE.is_ready:
        _DATABASE.prepare()


def reset() -> None:
    """Forget all about the database: PG* have changed."""
    _OWNER.forget()
    _READER.forget()
    _DATABASE.is_ready = False


def place() -> str:
    """What tells this cluster from any other; tables of two may have the same oid."""
    return _DATABASE.place


def owner() -> Pool:
    """Sessions that may do everything: the queue of runs uses them."""
    return _OWNER


def reader() -> Pool:
    """Sessions that may read what is published and nothing else."""
    return _READER


def is_reachable() -> bool:
    """Whether the database answers at this moment."""
    try:
        _OWNER.read(lambda session: session.cursor().execute("select 1"))
    except (EluteError, psycopg2.Error):
        return False
    return True
