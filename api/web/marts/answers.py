"""Answers with rows: small ones in one statement, large ones as a stream."""

from functools import lru_cache
from typing import Any, NamedTuple

from flask import Response, request
from psycopg2 import sql

from api.database import Session
from api.web.marts import media, ranges, statements, streams
from api.web.marts.catalogue import Mart
from api.web.marts.csv_text import as_csv
from api.web.marts.media import Form
from api.web.marts.query import Query, parse
from api.web.marts.reading import read
from api.web.marts.versions import is_conditional, version
from api.web.problems import Problem

MOST_ROWS_AT_ONCE = 1000  # of an answer that is made in memory


class Page(NamedTuple):
    """What one statement fetched: see `statements.page`."""

    text: str | None
    row_count: int
    build: int
    total: int | None


class Prepared:
    """A query, and its statement in the text that the server gets, made when first needed."""

    def __init__(self, query: Query, form: Form) -> None:
        self.query, self.form = query.limited(2) if form is media.OBJECT else query, form
        self.is_small = self.query.limit is not None and self.query.limit <= MOST_ROWS_AT_ONCE
        asked = self.query if self.is_small else self.query.limited(MOST_ROWS_AT_ONCE + 1)
        self._statement, self._values = statements.page(asked, form.name)
        self._text: str | None = None

    def page(self, first_value: str | None = None) -> Page:
        """Fetch the rows, or the first of them and one more than can be shown at once.

        Args:
            first_value: what to put for the first value of the conditions.
        """
        values = self._values if first_value is None else [first_value, *self._values[1:]]

        def fetch(session: Session) -> Page:
            if self._text is None:
                self._text = self._statement.as_string(session)
            return Page(*row(session, self._text, values))

        return read(self.query, fetch)


# A page that polls asks the same all the time, and reading a query takes longer than asking it.
@lru_cache(maxsize=1000)
def prepared(mart: Mart, query_string: str, wanted_range: str, prefer: str, form: Form) -> Prepared:
    """Read a query.

    Raises:
        Problem: 400; it says what is wrong and what would be right.
    """
    return Prepared(parse(mart, query_string, wanted_range, prefer), form)


def answer(mart: Mart, form: Form) -> Response:
    """Answer this request with rows of a mart.

    Raises:
        Problem: they cannot be had; it says why.
    """
    environ = request.environ  # Looking headers up in it is a good deal quicker.
    wanted_range, prefer = environ.get("HTTP_RANGE", ""), environ.get("HTTP_PREFER", "")
    asked = prepared(mart, environ.get("QUERY_STRING", ""), wanted_range, prefer, form)
    question = "\n".join((_target(), form.name, wanted_range, prefer))
    if is_conditional(environ):
        known = unchanged(asked.query, question)
        if known is not None:
            return known
    page = asked.page()
    if asked.is_small or page.row_count <= MOST_ROWS_AT_ONCE:
        return whole(asked.query, form, question, page)
    if request.method == "HEAD":
        return _head(asked.query, form, question)
    return streams.answer(asked.query, form, question)


# Its first value is the key's, whatever it says here.
@lru_cache(maxsize=100)
def prepared_row(mart: Mart, query_string: str) -> Prepared:
    """Read a query for the row with a key.

    Raises:
        Problem: 400; it says what is wrong and what would be right.
    """
    query = parse(mart, query_string)
    return Prepared(query.filtered(mart.key[0], "eq.0"), media.OBJECT)


def one(mart: Mart, key: int, form: Form) -> Response:
    """Answer this request with the row that has this key.

    Raises:
        Problem: there is none, or it cannot be had.
    """
    asked = prepared_row(mart, request.environ.get("QUERY_STRING", ""))
    question = "\n".join((_target(), form.name))
    if is_conditional(request.environ):
        known = unchanged(asked.query, question)
        if known is not None:
            return known
    page = asked.page(str(key))
    if page.row_count != 1:
        raise no_such_row(mart, str(key))
    return whole(asked.query, form, question, page)


def no_such_row(mart: Mart, key: str) -> Problem:
    """There is no row with this key."""
    return Problem(
        404,
        "No such row",
        f"There is no {mart.key[0]} {key!r} in {mart.name}; keys are whole numbers, and a record "
        "that was left out is in /marts/data_issues.",
    )


def unchanged(query: Query, question: str) -> Response | None:
    """304 if the client has this very answer."""
    statement, values = statements.version(query, wants_count=False)
    build, _ = read(query, lambda session: row(session, statement, values))
    current = version(build, question)
    return (
        Response(status=304, headers=current.headers())
        if current.is_known(request.headers)
        else None
    )


def whole(query: Query, form: Form, question: str, page: Page) -> Response:
    """The answer with all the rows of a page.

    Raises:
        Problem: 406 or 416, they are not what was asked for.
    """
    status, content_range = ranges.described(query.offset, page.row_count, page.total)
    if form is media.OBJECT and page.row_count != 1:
        raise _not_one(page.row_count)
    headers = {**version(page.build, question).headers(), "Content-Range": content_range}
    if query.wants_count:
        headers["Preference-Applied"] = "count=exact"
    text = as_csv(query, page.text) if form is media.CSV else page.text or ""
    return Response(text.encode(), status, headers, content_type=form.content_type)


def _target() -> str:
    """The path and the query of this request."""
    return f"{request.environ.get('PATH_INFO')}?{request.environ.get('QUERY_STRING')}"


def row(session: Session, statement: sql.Composable | str, values: list[Any]) -> tuple[Any, ...]:
    """The one row that a statement gives."""
    with session.cursor() as cursor:
        cursor.execute(statement, values)
        [found] = cursor.fetchall()
    return found


def _head(query: Query, form: Form, question: str) -> Response:
    """What a stream would begin with, without it."""
    statement, values = statements.version(query, query.wants_count)
    build, total = read(query, lambda session: row(session, statement, values))
    answered = streams.response(query, form, version(build, question), total, None)
    answered.automatically_set_content_length = False  # Nobody knows it yet, and 0 it is not.
    return answered


def _not_one(row_count: int) -> Problem:
    count = "0 rows" if row_count == 0 else "more than 1 row"
    return Problem(
        406,
        "Not one row",
        f"One row was asked for, and the result has {count}.",
        code="PGRST116",
        message="Cannot coerce the result to a single JSON object",
        details=f"The result contains {count}",
        hint=None,
    )
