"""Answers with rows: small ones in one statement, large ones as a stream."""

import json
from dataclasses import dataclass
from typing import Any

from flask import Response, request
from psycopg2 import sql

from api.database import Session
from api.web import pool
from api.web.marts import media, ranges, statements, streams
from api.web.marts.media import Form
from api.web.marts.query import Query
from api.web.marts.reading import read
from api.web.marts.versions import Version, is_conditional
from api.web.problems import Problem

MOST_ROWS_AT_ONCE = 1000  # of an answer that is made in memory


@dataclass(frozen=True)
class Page:
    """What one statement fetched: see `statements.page`."""

    text: str | None
    row_count: int
    table_oid: int
    published_at: float | None
    total: int | None


def answer(query: Query, form: Form) -> Response:
    """Answer this request with the rows of a query.

    Raises:
        Problem: they cannot be had; it says why.
    """
    question = _question(form)
    if is_conditional(request.headers):
        version = _current(query, question)
        if version.is_known(request.headers):
            return Response(status=304, headers=version.headers())
    if form is media.OBJECT:
        query = query.limited(2)
    if query.limit is not None and query.limit <= MOST_ROWS_AT_ONCE:
        return _whole(query, form, question, _page(query, form))
    page = _page(query.limited(MOST_ROWS_AT_ONCE + 1), form)
    if page.row_count <= MOST_ROWS_AT_ONCE:
        return _whole(query, form, question, page)
    if request.method == "HEAD":
        return _head(query, form, question)
    return streams.answer(query, form, question)


def _page(query: Query, form: Form) -> Page:
    statement, values = statements.page(query, form.name)
    return Page(*read(query, lambda session: _row(session, statement, values)))


def _current(query: Query, question: str) -> Version:
    statement, values = statements.version(query, wants_count=False)
    oid, published_at, _ = read(query, lambda session: _row(session, statement, values))
    return Version(oid, published_at, question, pool.place())


def _head(query: Query, form: Form, question: str) -> Response:
    """What a stream would begin with, without it."""
    statement, values = statements.version(query, query.wants_count)
    oid, published_at, total = read(query, lambda session: _row(session, statement, values))
    version = Version(oid, published_at, question, pool.place())
    return streams.response(query, form, version, total, None)


def _row(session: Session, statement: sql.Composable, values: list[Any]) -> tuple[Any, ...]:
    with session.cursor() as cursor:
        cursor.execute(statement, values)
        row = cursor.fetchone()
    assert row is not None
    return row


def _whole(query: Query, form: Form, question: str, page: Page) -> Response:
    status, content_range = ranges.described(query.offset, page.row_count, page.total)
    if form is media.OBJECT and page.row_count != 1:
        raise _not_one(page.row_count)
    version = Version(page.table_oid, page.published_at, question, pool.place())
    headers = {**version.headers(), "Content-Range": content_range}
    if query.wants_count:
        headers["Preference-Applied"] = "count=exact"
    text = _as_csv(query, page.text) if form is media.CSV else page.text or ""
    return Response(text.encode(), status, headers, content_type=form.content_type)


def _not_one(row_count: int) -> Problem:
    count = "0 rows" if row_count == 0 else "more than 1 row"
    message = "Cannot coerce the result to a single JSON object"
    return Problem(
        406,
        "Not one row",
        f"One row was asked for, and the result has {count}.",
        code="PGRST116",
        message=message,
        details=f"The result contains {count}",
        hint=None,
    )


def _as_csv(query: Query, text: str | None) -> str:
    """The rows as COPY writes them: null is nothing, and an empty text a pair of quotes."""
    lines = [[output.name for output in query.outputs], *json.loads(text or "[]")]
    return "".join(",".join(map(_csv_field, line)) + "\n" for line in lines)


def _csv_field(value: str | None) -> str:
    if value is None:
        return ""
    if value in ("", "\\.") or any(sign in value for sign in ',"\r\n'):
        return '"{}"'.format(value.replace('"', '""'))
    return value


def _question(form: Form) -> str:
    """All that the answer depends on, but for the rows."""
    headers = request.headers
    parts = (request.path, request.query_string.decode("latin-1"), form.name)
    return "\n".join((*parts, headers.get("Range", ""), headers.get("Prefer", "")))
