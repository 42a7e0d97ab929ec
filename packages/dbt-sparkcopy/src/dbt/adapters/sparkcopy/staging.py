"""Rows on their way: CSV files to Parquet for Spark, and Spark's Parquet to lines for COPY."""

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
from dbt.adapters.pgcopy import Seed
from dbt.adapters.sparkcopy.folder import Folder
from pyarrow import compute
from seed_csv import SEPARATOR, SeedFile

# What is not here is told as text.
_TYPES = {
    pa.bool_(): "boolean",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.float64(): "double precision",
    pa.date32(): "date",
}
_BLOCK = 8 << 20  # bytes of a file in one group of rows: little memory, and enough for each worker


def stage(file: SeedFile, seed: Seed, folder: Folder) -> int:
    """Write the records of a file into a folder as Parquet and return their number.

    Columns are text; one that PostgreSQL would fill with an identity is filled the same way.
    """
    loaded = set(seed.wanted.values())
    types = {name: pa.string() if name in loaded else pa.int64() for name in seed.columns}
    schema = pa.schema(list(types.items()))
    records = 0
    folder.make()
    options = {
        "filesystem": folder.filesystem,
        # Both take time and save none: most texts are there once, and no query looks for some.
        "use_dictionary": False,
        "write_statistics": False,
        "column_encoding": dict.fromkeys(types.keys() - loaded, "DELTA_BINARY_PACKED"),
    }
    path = (folder / "part-0.parquet").path
    # A block is written while the next is read.
    with pq.ParquetWriter(path, schema, **options) as writer, ThreadPoolExecutor(1) as thread:
        written: Future[None] | None = None
        for columns, chunks in file.copy_parts():
            stored = [seed.wanted[name] for name in columns]
            for block in _blocks(chunks):
                table = _parsed(block, stored, file.delimiter)
                numbers = pa.arange(records + 1, records + table.num_rows + 1)
                constant = {seed.wanted.get(SEPARATOR): file.delimiter}
                if file.delimiter == ",":
                    constant = {}
                completed = _completed(table, schema, numbers, constant)
                if written:
                    written.result()
                written = thread.submit(writer.write_table, completed)
                records += table.num_rows
        if written:
            written.result()
    return records


def _completed(
    table: pa.Table, schema: pa.Schema, numbers: pa.Array, constant: dict[str | None, str]
) -> pa.Table:
    columns = []
    for wanted in schema:
        if wanted.name in table.column_names:
            columns.append(table[wanted.name])
        elif wanted.type == pa.int64():
            columns.append(numbers)
        else:
            columns.append(pa.repeat(pa.scalar(constant.get(wanted.name), pa.string()), len(table)))
    return pa.table(columns, schema=schema)


def _blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Chunks, each of whole records, joined to larger ones."""
    held: list[bytes] = []
    size = 0
    for chunk in chunks:
        held.append(chunk)
        size += len(chunk)
        if size >= _BLOCK:
            yield b"".join(held)
            held, size = [], 0
    if size:
        yield b"".join(held)


def _parsed(block: bytes, columns: list[str], delimiter: str) -> pa.Table:
    """As COPY reads it: what is empty and not in quotes is null, and nothing else is."""
    return pc.read_csv(
        pa.BufferReader(block),
        pc.ReadOptions(column_names=columns, block_size=len(block) + 1),
        pc.ParseOptions(delimiter=delimiter, newlines_in_values=True, ignore_empty_lines=False),
        pc.ConvertOptions(
            column_types=dict.fromkeys(columns, pa.string()),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[""],
        ),
    )


def columns_of(folder: Folder) -> dict[str, str]:
    """The columns of a table, and for each a type of PostgreSQL's that takes its values."""
    return {
        column.name: "numeric"
        if pa.types.is_decimal(column.type)
        else _TYPES.get(column.type, "text")
        for column in pq.read_schema(folder.parts()[0], filesystem=folder.filesystem)
    }


def lines(folder: Folder, columns: list[str]) -> Iterator[bytes]:
    """The rows of a table as lines for COPY in CSV format, in memory that does not grow."""
    options = pc.WriteOptions(include_header=False, quoting_style="all_valid")
    for batch in _batches(folder, columns):
        if batch.num_rows:
            arrays = [_plain(array) for array in batch.columns]
            sink = pa.BufferOutputStream()
            pc.write_csv(pa.table(arrays, names=columns), sink, options)
            yield sink.getvalue().to_pybytes()


def _batches(folder: Folder, columns: list[str]) -> Iterator[pa.RecordBatch]:
    # A group at a time: asked for all of them, Arrow reads ahead as much as there is.
    for path in folder.parts():
        with pq.ParquetFile(path, filesystem=folder.filesystem) as file:
            for group in range(file.num_row_groups):
                yield from file.iter_batches(row_groups=[group], columns=columns)


def _plain(array: pa.Array) -> pa.Array:
    """Numbers without the trailing zeros that their type has given them."""
    if not pa.types.is_decimal(array.type):
        return array
    text = array.cast(pa.string())
    if array.type.scale <= 0:
        return text
    # Arrow writes nought and what is near it with an exponent.
    is_small = compute.match_substring(text, "E").fill_null(False)
    numbers = compute.utf8_rtrim(compute.utf8_rtrim(text, "0"), ".")
    small = [f"{value:f}".rstrip("0").rstrip(".") for value in array.filter(is_small).to_pylist()]
    return compute.replace_with_mask(numbers, is_small, pa.array(small, pa.string()))
