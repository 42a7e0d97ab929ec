"""The database as the web app has it: sessions for requests, made ready when first needed."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from flask import current_app
from psycopg2 import sql

from api.connection_pool import WAIT_SECONDS, Pool
from api.listener import Listener
from elute.database import schema
from elute.database.builds import Catalogue
from elute.database.server import connection_environment
from elute.database.sessions import Session, accepts_sessions, connect
from elute.errors import EluteError, ServerError
from elute.settings import Settings

# For sessions that may be held for minutes: with those who hold one, three quarters of the threads.
_MOST_WAITING = 32
_STREAM_SECONDS = 3600  # until a stream ends whose client goes on taking it, at whatever speed
_READER_OPTIONS = """
set default_transaction_read_only = on; set statement_timeout = '{seconds}s';
set client_encoding = 'UTF8'; set datestyle = 'ISO'; set jit = off;
"""


class Database:
    """Finds its server, and brings the schema there up to date, when a session is first needed.

    Args:
        settings: where it is.

    Attributes:
        owner: sessions that may do everything: the queue of runs uses them.
        reader: sessions that may read what is published and nothing else, a few rows at a time.
        streams: the same for answers of any length, which so keep nobody else waiting.
        listener: tells of changes to runs.
        catalogue: the published build.
        figures: of whole tables of builds, which never change: the rows by the statement.
    """

    def __init__(self, settings: Settings) -> None:
        self.owner = Pool(self.connect)
        self.reader = Pool(lambda: self._connect_reader(settings.query_seconds))
        self.streams = Pool(lambda: self._connect_reader(_STREAM_SECONDS), _MOST_WAITING)
        self.listener, self.catalogue = Listener(self.connect), Catalogue()
        self.figures: dict[str, list[tuple[Any, ...]]] = {}
        self._settings = settings
        self._lock = threading.Lock()
        self._server: Mapping[str, str] | None = None
        self._failure: tuple[float, EluteError] | None = None  # of the last attempt, and when

    def connect(self) -> Session:
        """Open a session that commits each statement by itself.

        Raises:
            ServerError: there is no server; the next call tries again.
        """
        server = self._server or self._prepare()
        try:
            session = connect(server)
        except EluteError:
            if not accepts_sessions(server):
                self.reset()
            raise
        session.set_client_encoding("UTF8")
        return session

    def reset(self) -> None:
        """Close what is idle, and look at server and schema anew."""
        self.owner.forget()
        self.forget_readers()
        self._server = None

    def forget_readers(self) -> None:
        """Close the idle sessions that read."""
        self.reader.forget()
        self.streams.forget()

    def _connect_reader(self, seconds: int) -> Session:
        session = self.connect()
        with session.cursor() as cursor:
            cursor.execute(_READER_OPTIONS.format(seconds=seconds))
            if schema.has_reader(session):
                cursor.execute(sql.SQL("set role {}").format(sql.Identifier(schema.READER)))
        return session

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One at a time; who waits for long is told so, and leaves the thread to others."""
        if not self._lock.acquire(timeout=WAIT_SECONDS):
            raise ServerError("The database is still being started. Try again shortly.")
        try:
            yield
        finally:
            self._lock.release()

    def _prepare(self) -> Mapping[str, str]:
        """The PG* of the server, the schema of which is up to date."""
        asked_at = time.monotonic()
        with self._turn():
            if self._server:
                return self._server
            if self._failure and self._failure[0] > asked_at:
                raise self._failure[1]  # Of the attempt that this one has waited for.
            try:
                # What has set PGHOST to Elute's own server starts it again if need be.
                may_start = self._settings.host is None
                server = connection_environment(self._settings, may_start=may_start)
                schema.upgrade(server)
            except EluteError as error:
                self._failure = time.monotonic(), error
                raise
            self._server = server
            self.listener.start()
            return server


def current() -> Database:
    """That of the app that answers."""
    database: Database = current_app.extensions["database"]
    return database
