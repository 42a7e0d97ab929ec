"""The database of this process: sessions for requests, made ready when they are first needed."""

import os
import threading
import time

import psycopg2
import psycopg2.errors
from psycopg2 import sql

from api.connection_pool import Pool
from elute.database import schema
from elute.database.sessions import Session, connect
from elute.environment import adopt
from elute.errors import EluteError
from elute.settings import Settings

READ_TIMEOUT = "5min"  # for a single query
_READER_OPTIONS = f"""
set default_transaction_read_only = on; set statement_timeout = '{READ_TIMEOUT}';
set client_encoding = 'UTF8'; set datestyle = 'ISO'; set jit = off;
"""


def _connect_owner() -> Session:
    prepare_database()
    session = connect()
    session.autocommit = True
    session.set_client_encoding("UTF8")
    return session


def _connect_reader() -> Session:
    session = _connect_owner()
    with session.cursor() as cursor:
        cursor.execute(_READER_OPTIONS)
        if schema.has_reader(session):
            cursor.execute(sql.SQL("set role {}").format(sql.Identifier(schema.READER)))
    return session


class _Database:
    """Whether this process has found its database and brought the schema up to date."""

    def __init__(self) -> None:
        self.settings: Settings | None = None
        self.is_ready = False
        self.failure: tuple[float, EluteError] | None = None  # of the last attempt, and when
        self.lock = threading.Lock()
        os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self.lock, self.is_ready, self.failure = threading.Lock(), False, None

    def prepare(self) -> None:
        asked_at = time.monotonic()
        with self.lock:
            if self.is_ready:
                return
            if self.failure and self.failure[0] > asked_at:
                raise self.failure[1]  # Of the attempt that this one has waited for.
            try:
                self._upgrade()
            except EluteError as error:
                self.failure = time.monotonic(), error
                raise
            self.is_ready = True

    def _upgrade(self) -> None:
        if not os.environ.get("PGHOST"):
            adopt(self.settings or Settings.from_environment())
        schema.upgrade(os.environ)


_DATABASE = _Database()
_OWNER = Pool(_connect_owner)
_READER = Pool(_connect_reader)


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
