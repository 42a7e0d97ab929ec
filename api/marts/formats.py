"""Rows in each media type: the COPY that writes them, and what is made of that."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain
from types import ModuleType

from pgrest_query import Query
from psycopg2.extensions import Column

from api.marts import media, workbook
from elute.database.sessions import Session

# JSON text holds no control characters, so COPY has nothing to quote.
_JSON = r"""
copy (select {row}::text from ({rows}) as _row) to stdout
with (format csv, quote E'\x01', delimiter E'\x02')
"""
_NO_ROW = "select * from ({rows}) as _row limit 0"
_CSV = "copy (select {columns} from ({rows}) as _row) to stdout with (format csv{header})"
_CELL = "{name}::text as {name}"
# A spreadsheet takes such a text for a formula, unless there is an apostrophe before it.
_SPREADSHEET_CELL = r"""
case
    when pg_typeof({name}) in ('text'::regtype, 'varchar'::regtype)
        and {name}::text ~ '^[=+@\t\r-]'
        and {name}::text !~ '^[+-]?[0-9.,]+([eE][+-]?[0-9]+)?$'
        then $$'$$ || {name}::text
    else {name}::text
end as {name}
"""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # without it, Excel does not read UTF-8


def described(session: Session, query: Query, media_type: str) -> tuple[Column, ...]:
    """The columns of the rows of a query; none where the media type has no types.

    Raises:
        Problem: 406, there is no library for this media type here.
    """
    if media_type not in media.BINARY:
        return ()
    if media_type in media.ARROWS:
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
    if media_type.startswith(media.CSV) or media_type in media.ARROWS:
        cell = _SPREADSHEET_CELL if media_type == media.SPREADSHEET else _CELL
        cells = ", ".join(cell.format(name=name) for name in query.identifiers)
        header = "" if media_type in media.ARROWS else ", header"
        copied = _CSV.format(rows=rows, columns=cells, header=header)
    else:
        row = media.row_expression(media_type)
        if media_type == media.XLSX:
            row = workbook.row_expression(query.identifiers, columns)
        copied = _JSON.format(rows=rows, row=row)
    with session.cursor() as cursor:
        return str(cursor.mogrify(copied, values).decode())


def body(
    query: Query,
    media_type: str,
    columns: Sequence[Column],
    moment: datetime,
    blocks: Iterator[bytes],
) -> Iterator[bytes]:
    """What is sent, of what COPY writes; the parts of a workbook have the time `moment`."""
    if media_type in media.ARRAYS:
        return _array(blocks)
    if media_type == media.SPREADSHEET:
        return chain([_BYTE_ORDER_MARK], blocks)
    if media_type == media.XLSX:
        return workbook.file(query.columns, moment, blocks)
    if media_type in media.ARROWS:
        is_parquet = media_type == media.PARQUET
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
            "Parquet and Arrow need a library that is not installed here. Install it with "
            "pip install --require-hashes -r requirements-arrow.txt, or ask for CSV."
        )
        raise media.not_acceptable("Not installed", detail) from error
    return arrow
