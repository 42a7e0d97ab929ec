"""Rows as Parquet and as a stream of Apache Arrow, of the CSV that COPY writes.

It needs what requirements-arrow.txt locks.
"""

from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any

import pyarrow as pa
from psycopg2.extensions import Column
from pyarrow import csv, ipc, parquet

_CHUNK = 2 * 1024 * 1024  # bytes of CSV in a group of rows
_MOST_DIGITS = 38
# By OID of pg_type; all else is text, as in CSV.
_NUMERIC = 1700
_TYPES = {
    16: pa.bool_(),
    20: pa.int64(),
    21: pa.int16(),
    23: pa.int32(),
    700: pa.float32(),
    701: pa.float64(),
    1082: pa.date32(),
}


def file(columns: Sequence[Column], rows: Iterator[bytes], *, is_parquet: bool) -> Iterator[bytes]:
    """The file, as it comes.

    Args:
        columns: as the driver describes them.
        rows: as CSV without a header.
        is_parquet: whether it is Parquet, or a stream of Arrow.
    """
    schema = pa.schema([(column.name, _type(column)) for column in columns])
    sink = BytesIO()
    make = parquet.ParquetWriter if is_parquet else ipc.new_stream
    with make(pa.PythonFile(sink, "w"), schema) as writer:
        for chunk in _whole_rows(rows):
            writer.write_table(_table(chunk, schema))
            yield _taken(sink)
    yield _taken(sink)


def _taken(sink: BytesIO) -> bytes:
    """What was written since the last time."""
    written = sink.getvalue()
    sink.seek(0)
    sink.truncate()
    return written


def _type(column: Column) -> Any:
    if column.type_code == _NUMERIC:
        is_exact = column.precision is not None and column.precision <= _MOST_DIGITS
        return pa.decimal128(column.precision, column.scale) if is_exact else pa.string()
    return _TYPES.get(column.type_code, pa.string())


def _table(chunk: bytes, schema: Any) -> Any:
    return csv.read_csv(
        pa.BufferReader(chunk),
        read_options=csv.ReadOptions(
            use_threads=False, column_names=schema.names, block_size=len(chunk)
        ),
        parse_options=csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        # What is empty without quotes is null, and with them an empty text.
        convert_options=csv.ConvertOptions(
            column_types=schema,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )


def _whole_rows(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The same in larger chunks, each of whole rows.

    Of pyarrow's own reader another thread would go on reading when the client has gone.
    """
    rest = bytearray()
    for block in blocks:
        rest += block
        if len(rest) >= _CHUNK and (end := _end(rest)):
            yield bytes(rest[:end])
            del rest[:end]
    if rest:
        yield bytes(rest)


def _end(text: bytes | bytearray) -> int:
    """Where its last whole row ends: at a line end with all quotes closed."""
    end = text.rfind(b"\n") + 1
    while end and text.count(b'"', 0, end) % 2:
        end = text.rfind(b"\n", 0, end - 1) + 1
    return end
