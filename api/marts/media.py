"""The media types that rows are served in: which a client takes, and how the rows are written."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain
from types import ModuleType

from flask import request
from pgrest_query import Query
from psycopg2.extensions import Column

from api.marts import workbook
from api.problems import Problem, postgrest
from elute.database.sessions import Session
from elute.extras import how_to_install

JSON = "application/json"
OBJECT = "application/vnd.pgrst.object+json"
CSV = "text/csv"
SPREADSHEET = f"{CSV}; header=present"  # CSV that is not exact, but does no harm in one
NDJSON = "application/x-ndjson"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PARQUET = "application/vnd.apache.parquet"
ARROWS = (PARQUET, "application/vnd.apache.arrow.stream")
_WITHOUT_NULLS = ";nulls=stripped"
JSON_WITHOUT_NULLS = f"application/vnd.pgrst.array+json{_WITHOUT_NULLS}"
OBJECT_WITHOUT_NULLS = f"{OBJECT}{_WITHOUT_NULLS}"
ARRAYS = (JSON, JSON_WITHOUT_NULLS)
OBJECTS = (OBJECT, OBJECT_WITHOUT_NULLS)
AS_JSON = (*ARRAYS, *OBJECTS, NDJSON)
BINARY = (XLSX, *ARROWS)
MEDIA_TYPES = (JSON, CSV, NDJSON, JSON_WITHOUT_NULLS, *OBJECTS, *BINARY)
# Of files to save.
EXTENSIONS = {
    "csv": SPREADSHEET,
    "json": JSON,
    "ndjson": NDJSON,
    "xlsx": XLSX,
    "parquet": ARROWS[0],
    "arrows": ARROWS[1],
}
# As clients of PostgREST write it, too.
_OTHER_NAMES = {
    "application/vnd.pgrst.object": OBJECT,
    "application/vnd.pgrst.array": JSON,
    "application/vnd.pgrst.array+json": JSON,
    "*": "*/*",
}
_STRIPPED = {JSON: JSON_WITHOUT_NULLS, OBJECT: OBJECT_WITHOUT_NULLS}
# JSON text holds no control characters, so COPY has nothing to quote.
_JSON = r"""
copy (select {row}::text from ({rows}) as _row) to stdout
with (format csv, quote E'\x01', delimiter E'\x02')
"""
_NO_ROW = "select * from ({rows}) as _row limit 0"
_CSV = "copy (select {columns} from ({rows}) as _row) to stdout with (format csv{header})"
_CELL = "{name}::text as {title}"
# A spreadsheet takes a text that begins so for a formula, unless there is an apostrophe before it.
_FORMULA = r"[=+@\t\r-]"
_SPREADSHEET_CELL = r"""
case
    when pg_typeof({name}) in ('text'::regtype, 'varchar'::regtype)
        and {name}::text ~ '^{formula}'
        and {name}::text !~ '^[+-]?[0-9.,]+([eE][+-]?[0-9]+)?$'
        then $$'$$ || {name}::text
    else {name}::text
end as {title}
"""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # without it, Excel does not read UTF-8


def negotiated(offered: Sequence[str] = MEDIA_TYPES) -> str:
    """The offered media type that `Accept` prefers (RFC 9110, 12.5.1); the first of equals.

    Of its parameters only PostgREST's `nulls=stripped` matters, not such as `charset`.

    Raises:
        Problem: 406, it accepts none of them.
    """
    accept = request.headers.get("Accept", "")
    wanted = dict(map(_range, accept.split(","))) if accept.strip() else {"*/*": 1.0}
    best = max(offered, key=lambda media_type: _quality(media_type, wanted))
    if _quality(best, wanted) > 0:
        return best
    detail = f"None of {accept!r} can be had here; there are {', '.join(offered)}."
    raise not_acceptable("No such media type", detail)


def not_acceptable(title: str, detail: str) -> Problem:
    """406, as clients of PostgREST read it, too."""
    return Problem(406, title, detail, **postgrest("PGRST107", detail))


def _range(text: str) -> tuple[str, float]:
    """A part of the header: a media type or range, and its quality value.

    Werkzeug ignores one that Java sends with `q=.2`.
    """
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    quality = next((part[2:] for part in parameters if part.startswith("q=")), "1")
    known = _OTHER_NAMES.get(name, name)
    if name.startswith("application/vnd.pgrst.") and "nulls=stripped" in parameters:
        known = _STRIPPED.get(known, known)
    try:
        return known, float(quality)
    except ValueError:
        return known, 1.0


def _quality(media_type: str, wanted: dict[str, float]) -> float:
    """The quality value of a media type, by the most specific range that matches it."""
    for name in (media_type, f"{media_type.partition('/')[0]}/*", "*/*"):
        if name in wanted:
            return wanted[name]
    return 0.0


def row_expression(media_type: str) -> str:
    """A row `_row` as JSON, in SQL."""
    row = "row_to_json(_row)"
    return f"json_strip_nulls({row})" if media_type.endswith(_WITHOUT_NULLS) else row


def described(session: Session, query: Query, media_type: str) -> tuple[Column, ...]:
    """The columns of the rows of a query; none where the media type has no types.

    Raises:
        Problem: 406, there is no library for this media type here.
    """
    if media_type not in BINARY:
        return ()
    if media_type in ARROWS:
        _arrow()
    rows, values = query.rows()
    with session.cursor() as cursor:
        cursor.execute(_NO_ROW.format(rows=rows), values)
        return tuple(cursor.description or ())


def statement(
    session: Session, query: Query, media_type: str, columns: Sequence[Column] = ()
) -> str:
    """The COPY that writes the rows of a query in a media type with these columns."""
    rows, values = query.rows()
    if media_type.startswith(CSV) or media_type in ARROWS:
        cell = _SPREADSHEET_CELL if media_type == SPREADSHEET else _CELL
        cells = ", ".join(
            cell.format(name=name, title=_title(name, media_type), formula=_FORMULA)
            for name in query.identifiers
        )
        header = "" if media_type in ARROWS else ", header"
        copied = _CSV.format(rows=rows, columns=cells, header=header)
    else:
        row = row_expression(media_type)
        if media_type == XLSX:
            row = workbook.row_expression(query.identifiers, columns)
        copied = _JSON.format(rows=rows, row=row)
    with session.cursor() as cursor:
        return str(cursor.mogrify(copied, values).decode())


def _title(name: str, media_type: str) -> str:
    """What a column is called in the header, for which the same holds as for a cell."""
    is_formula = media_type == SPREADSHEET and re.match(_FORMULA, name[1:])
    return f"\"'{name[1:]}" if is_formula else name


def body(
    query: Query,
    media_type: str,
    columns: Sequence[Column],
    moment: datetime,
    blocks: Iterator[bytes],
) -> Iterator[bytes]:
    """What is sent, of what COPY writes; the parts of a workbook have the time `moment`."""
    if media_type in ARRAYS:
        return _array(blocks)
    if media_type == SPREADSHEET:
        return chain([_BYTE_ORDER_MARK], blocks)
    if media_type == XLSX:
        return workbook.file(query.columns, moment, blocks)
    if media_type in ARROWS:
        is_parquet = media_type == PARQUET
        file: Iterator[bytes] = _arrow().file(columns, blocks, is_parquet=is_parquet)
        return file
    return blocks


def _array(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Lines of JSON as an array."""
    yield b"["
    last = b""  # A line end may be the last one, which no comma follows.
    for block in blocks:
        text = last + block
        last = text[-1:]
        yield text[:-1].replace(b"\n", b",\n")
    yield b"]"


def _arrow() -> ModuleType:
    try:
        from api.marts import arrow  # noqa: PLC0415 - not everybody has it, nor needs its 60 MB
    except ImportError as error:
        detail = (
            "Parquet and Arrow need a library that is not installed here. Ask for CSV, or have it: "
            f"{how_to_install('arrow')}"
        )
        raise not_acceptable("Not installed", detail) from error
    return arrow
