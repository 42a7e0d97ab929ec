"""Large answers: COPY runs at its own speed into a file, and the client gets it at its own.

So a slow client holds no lock on the table, which a build would have to wait for, and memory
stays flat.
"""

import threading
from collections.abc import Iterator

import psycopg2
from flask import Response, current_app, request
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from api.database import Session
from api.web import connections
from api.web.marts import ranges, statements
from api.web.marts.media import JSON, Form
from api.web.marts.query import Query
from api.web.marts.reading import explained, read
from api.web.marts.spool import Abandoned, Spool
from api.web.marts.versions import Version, version
from api.web.problems import RETRY_SECONDS, Problem
from api.web.sharing import WAIT_SECONDS

MOST_AT_ONCE = 4  # others wait, so that small answers always find a session
# Each holds a thread until its client has all of it; the others must stay free to answer.
MOST_STREAMS = 12
LOOK_SECONDS = 0.5  # how often to look whether the client still waits for the first row
_PLACES = threading.BoundedSemaphore(MOST_AT_ONCE)
_CLIENTS = threading.BoundedSemaphore(MOST_STREAMS)


class _BrokenOff(Exception):  # noqa: N818 (it carries the error)
    """The rows ended too early; never to be tried again, for some are written."""


class Export:
    """One stream: a thread that copies rows into a spool, and the client that follows it."""

    def __init__(self, query: Query, form: Form, spool: Spool) -> None:
        self._query, self._form, self._spool = query, form, spool
        self._is_closed = connections.is_closed()
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._has_head = threading.Event()
        self.head: tuple[int, int | None] = (0, None)
        self._thread = threading.Thread(target=self._run, name="export", daemon=True)

    def start(self) -> None:
        """Begin, and wait until it is known which table the rows are of.

        Raises:
            Problem: it cannot begin.
        """
        self._thread.start()
        self._has_head.wait()
        while not self._spool.wait(LOOK_SECONDS):
            self._look()

    def wait(self) -> None:
        """Wait for all of it."""
        while not self._spool.wait(LOOK_SECONDS, for_all=True):
            self._look()

    def __iter__(self) -> Iterator[bytes]:
        yield from self._spool.blocks(LOOK_SECONDS, self._look)

    def close(self) -> None:
        """End the query, if it still runs: its client has all of it, or has gone away."""
        self._spool.leave()
        with self._lock:
            if self._session is not None:
                self._session.cancel()

    def _look(self) -> None:
        """Give up if the client has hung up."""
        if self._is_closed():
            raise Abandoned

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            read(self._query, self._export)
        except _BrokenOff as broken:
            error = broken.__cause__
        except BaseException as failure:  # It is the reader's to raise.
            error = failure
        _PLACES.release()
        self._spool.finish(error)
        self._has_head.set()

    def _export(self, session: Session) -> None:
        with session.cursor() as cursor:
            cursor.execute("begin")
            try:
                statement, values = statements.version(self._query, self._query.wants_count)
                cursor.execute(statement, values)
            except psycopg2.Error:
                if not session.closed:
                    cursor.execute("rollback")
                raise
            self._copy(session, cursor)

    def _copy(self, session: Session, cursor: Cursor) -> None:
        try:
            self.head = cursor.fetchone() or self.head
            statement, values = statements.copy(self._query, self._form.name)
            with self._lock:
                self._session = session
            self._has_head.set()
            with self._spool.writer() as writer:
                cursor.copy_expert(cursor.mogrify(statement, values).decode(), writer)
            with self._lock:
                self._session = None
            cursor.execute("commit")
        except BaseException as error:
            with self._lock:
                self._session = None
            session.close()  # It may be in the middle of a row, or about to be cancelled.
            reason = explained(self._query, error) if isinstance(error, psycopg2.Error) else error
            raise _BrokenOff from reason


def answer(query: Query, form: Form, question: str) -> Response:
    """Answer with all the rows of a query.

    Raises:
        Problem: they cannot be had.
    """
    if not _CLIENTS.acquire(blocking=False):
        raise _busy()
    try:
        answered = _begin(query, form, question)
    except BaseException:
        _CLIENTS.release()
        raise
    answered.call_on_close(_CLIENTS.release)
    return answered


def _begin(query: Query, form: Form, question: str) -> Response:
    spool = _spool(form)
    if not _PLACES.acquire(timeout=WAIT_SECONDS):
        raise _busy()
    export = Export(query, form, spool)
    try:
        export.start()
        table_oid, total = export.head
        answered = response(query, form, version(table_oid, question), total, export)
        if request.environ.get("SERVER_PROTOCOL") == "HTTP/1.0":
            # Only the length tells such a client whether it has all of it.
            export.wait()
        spool.wait(0)  # What has gone wrong by now can still be told.
        size = spool.size
        if size is not None:
            answered.content_length = size
    except Abandoned as error:
        export.close()
        raise Problem(503, "Gone", "The client went away before the first row.") from error
    except BaseException:
        export.close()
        raise
    return answered


def response(
    query: Query, form: Form, current: Version, total: int | None, body: Export | None
) -> Response:
    """The answer that begins a stream."""
    headers, status = current.headers(), 200
    if total is not None:
        most = total - query.offset if query.limit is None else query.limit
        status, headers["Content-Range"] = ranges.described(
            query.offset, max(0, min(most, total - query.offset)), total
        )
        headers["Preference-Applied"] = "count=exact"
    return Response(body, status, headers, content_type=form.content_type)


def _spool(form: Form) -> Spool:
    folder = current_app.config["SETTINGS"].home / "spool"
    return Spool(folder, b"[", b",\n", b"]") if form is JSON else Spool(folder)


def _busy() -> Problem:
    return Problem(
        503,
        "Busy",
        "Too many large answers are being made and sent. Try again shortly.",
        headers={"Retry-After": str(RETRY_SECONDS)},
    )
