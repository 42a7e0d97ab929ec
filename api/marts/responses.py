"""Rows of a mart as a response: all of a build, whole or as a stream, the client's own or 304."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import psycopg2
from flask import Response, request
from pgrest_query import Query, QueryError, parse
from psycopg2 import errors
from psycopg2.extensions import Column

from api import database
from api.marts import media, workbook
from api.marts.copying import BLOCK, Copy
from api.marts.published import described_error, figures, find
from api.marts.sending import again, has_client_gone, is_not_modified, streamed, validators
from api.parameters import query_without
from api.problems import Problem, postgrest
from elute.database.builds import NEWEST, Build, Mart
from elute.database.sessions import Session

LARGEST_WHOLE = 4 * BLOCK  # bytes of an answer that is made before it is sent
MOST_ROWS_WHOLE = 1000
Look = Callable[[Session], tuple[Build, Mart]]
# A few rows, and whether their build is still the newest, in one statement.
_FEW = """
select
    ({newest}),
    count(*),
    coalesce(string_agg({row}::text || E'\\n', ''), '')
from ({rows}) as _row
"""


@dataclass
class RowsRequest:
    """A request for rows: of which mart of which build, and in which media type.

    `key` is that of the row, None where any one will do or there may be several. `headers` are
    those of the response, and `total` is the number of all rows if that is wanted. `described` are
    the columns of the answer, where its media type has types.
    """

    build: Build
    mart: Mart
    query: Query
    media_type: str
    key: str | None
    headers: dict[str, str] = field(default_factory=dict)
    total: int | None = None
    described: tuple[Column, ...] = ()

    @property
    def is_single(self) -> bool:
        """Whether one row is asked for, not a list."""
        return self.key is not None or self.media_type in media.OBJECTS

    def response(self, body: bytes | Iterable[bytes], row_count: int | None) -> Response:
        """The response with this body, of so many rows, if that is known already."""
        status = 200
        if row_count is not None:
            status, self.headers["Content-Range"] = self.query.content_range(row_count, self.total)
        charset = "" if self.media_type in media.BINARY else "; charset=utf-8"
        return Response(body, status, self.headers, content_type=f"{self.media_type}{charset}")

    def body(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """What is sent, of what COPY writes."""
        moment = self.build.published_at
        return media.body(self.query, self.media_type, self.described, moment, blocks)


def respond(name: str, media_type: str, key: str | None = None) -> Response:
    """Answer this request with rows of a mart.

    Args:
        name: of the mart.
        media_type: one of `media.MEDIA_TYPES`.
        key: the value of the mart's key, for the one row that has it.

    Raises:
        Problem: there is no such mart or row.
        QueryError: it says what is wrong with the query.
    """
    few = _few(name, media_type, key)
    return few or again(lambda: _respond(lambda session: find(session, name), media_type, key=key))


def respond_from(look: Look, media_type: str, *parameters: str, is_fixed: bool = True) -> Response:
    """Answer this request with rows of what is looked up.

    Args:
        look: finds build and mart.
        media_type: one of `media.MEDIA_TYPES`.
        parameters: those that are no part of the query.
        is_fixed: whether the address names the build, so that the answer is the same for ever.

    Raises:
        Problem, QueryError: as `respond`.
    """
    return again(lambda: _respond(look, media_type, parameters=parameters, is_fixed=is_fixed))


def _few(name: str, media_type: str, key: str | None) -> Response | None:
    """A few rows of the build that is known; None if another has become the newest.

    None too if the answer is one of many rows, none at all, or that something is wrong.
    """
    build = database.current().catalogue.known
    if build is None or name not in build.marts:
        return None
    try:
        wanted = _wanted(build, build.marts[name], media_type, key=key)
    except (QueryError, Problem):
        return None  # What is wrong may be right in a newer build.
    limit = wanted.query.limit
    is_few = limit is not None and limit <= MOST_ROWS_WHOLE
    if not is_few or media_type not in media.AS_JSON or is_not_modified(wanted.headers):
        return None
    with database.current().reader.session() as session:
        try:
            newest, row_count, text = _few_rows(session, wanted)
            if newest != build.invocation_id:
                return None
            if wanted.query.preferences.wants_count:
                wanted.total = _total(session, wanted.query, row_count)
        except errors.QueryCanceled as error:
            raise described_error(wanted.query, error) from error
        except psycopg2.Error:
            return None
    return _whole(wanted, text.encode(), row_count)


def _few_rows(session: Session, wanted: RowsRequest) -> tuple[str, int, str]:
    rows, row = wanted.query.rows(), media.row_expression(wanted.media_type)
    with session.cursor() as cursor:
        cursor.execute(_FEW.format(newest=NEWEST, row=row, rows=rows.sql), rows.values)
        [found] = cursor.fetchall()
    return found


def _respond(look: Look, media_type: str, **how: Any) -> Response:
    with ExitStack() as stack:
        session = stack.enter_context(database.current().streams.session())
        wanted = _wanted(*look(session), media_type, **how)
        if is_not_modified(wanted.headers):
            return Response(status=304, headers=wanted.headers)
        try:
            return _rows(session, wanted, stack)
        except psycopg2.Error as error:
            raise described_error(wanted.query, error) from error


def _wanted(  # noqa: PLR0913
    build: Build,
    mart: Mart,
    media_type: str,
    *,
    key: str | None = None,
    parameters: tuple[str, ...] = (),
    is_fixed: bool = False,
) -> RowsRequest:
    query = _query(mart, key, parameters)
    wanted = RowsRequest(build, mart, query, media_type, key)
    if wanted.is_single:
        wanted.query = query.limited(2)
    wanted.headers = validators(build, mart, media_type, is_fixed=is_fixed)
    if query.preferences.applied:
        wanted.headers["Preference-Applied"] = query.preferences.applied
    return wanted


def no_such_row(mart: Mart, key: str) -> Problem:
    """There is no row with this key."""
    return Problem(
        404,
        "No such row",
        f"There is no {mart.table.key[0]} {key!r} in {mart.name}; keys are whole numbers, and a "
        "record that was left out is in /marts/data_issues.",
    )


def is_bigint(text: str) -> bool:
    """Whether a path names a key that there may be."""
    return bool(re.fullmatch(r"[+-]?[0-9]{1,19}", text)) and -(2**63) <= int(text) < 2**63


def _query(mart: Mart, key: str | None, parameters: tuple[str, ...]) -> Query:
    text = query_without(*parameters)
    if key is not None:
        if not is_bigint(key):
            raise no_such_row(mart, key)
        return parse(mart.table, f"{mart.table.key[0]}=eq.{int(key)}&{text}")
    return parse(
        mart.table,
        text,
        range_header=request.headers.get("Range", ""),
        prefer=request.headers.get("Prefer", ""),
    )


def _rows(session: Session, wanted: RowsRequest, stack: ExitStack) -> Response:
    if wanted.media_type in media.BINARY and not wanted.query.columns:
        raise QueryError("A file of this kind has columns: select at least one.")
    if wanted.query.preferences.wants_count:
        wanted.total = _total(session, wanted.query)
    if wanted.media_type == media.XLSX:
        _require_a_sheet(session, wanted)
    wanted.described = media.described(session, wanted.query, wanted.media_type)
    copied = media.statement(session, wanted.query, wanted.media_type, wanted.described)
    copy = Copy(session, copied, has_client_gone())
    stack.callback(copy.close)
    data = b""
    while len(data) < LARGEST_WHOLE:
        block = copy.read()
        if not block:
            return _whole(wanted, data, copy.row_count)
        data += block
    return _stream(wanted, data, copy, stack)


def _total(session: Session, query: Query, row_count: int = 0) -> int:
    """How many rows there are, after so many of them, if any, have been read."""
    if 0 < row_count < (query.limit or 0):
        return query.offset + row_count  # They were the last.
    [[total]] = figures(session, *query.count())
    return int(total)


def _require_a_sheet(session: Session, wanted: RowsRequest) -> None:
    """Refuse more rows than a sheet has."""
    limit, most = wanted.query.limit, workbook.MOST_ROWS
    if limit is not None and limit <= most:
        return
    row_count = (wanted.total or _total(session, wanted.query)) - wanted.query.offset
    if min(row_count, limit or row_count) > most:
        detail = (
            f"A sheet has room for {most:,} rows below its header, and these are {row_count:,}. "
            "Ask for a part of them with limit and offset, or for CSV."
        )
        raise media.not_acceptable("Too many rows for a sheet", detail)


def _whole(wanted: RowsRequest, data: bytes, row_count: int) -> Response:
    if wanted.is_single:
        if row_count != 1:
            raise (
                _not_one(row_count) if wanted.key is None else no_such_row(wanted.mart, wanted.key)
            )
        return wanted.response(data.removesuffix(b"\n"), 1)
    return wanted.response(b"".join(wanted.body(iter([data]))), row_count)


def _stream(wanted: RowsRequest, first: bytes, copy: Copy, stack: ExitStack) -> Response:
    body = wanted.body(chain([first], iter(copy.read, b"")))

    def respond(body: Iterable[bytes], is_collected: bool) -> Response:
        row_count = copy.row_count if is_collected else None
        if wanted.total is not None:
            most = wanted.total - wanted.query.offset
            row_count = min(most, wanted.query.limit or most)
        return wanted.response(body, row_count)

    return streamed(body, respond, stack)


def _not_one(row_count: int) -> Problem:
    count = "0 rows" if row_count == 0 else "more than 1 row"
    message = "Cannot coerce the result to a single JSON object"
    return Problem(
        406,
        "Not one row",
        f"One row was asked for, and the result has {count}. Filter for one, or ask for a list.",
        **postgrest("PGRST116", message, f"The result contains {count}"),
    )
