"""What is staged for Spark is what COPY would load, and what is copied out is what Spark wrote."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import date
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dbt.adapters.pgcopy.seeds import Seed, seed_for_copy
from dbt.adapters.sparkcopy import staging
from dbt.adapters.sparkcopy.folder import Folder
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from seed_csv import SEPARATOR, SeedFile, SeedFileError

TYPES = {
    "record_number": "bigint generated always as identity",
    "name": "text",
    "note": "text",
    "_fields_missing": "boolean",
    SEPARATOR: "text",
}
FILES = {
    "plain": b"name,note\na,b\nc,d\n",
    "the other order, and a column more": b"extra,note,name\n1,b,a\n2,d,c\n",
    "nothing, and a text of no letters": b'name,note\n,""\n"",\nNULL,null\n\\N,NA\n',
    "quotes and line ends": b'name,note\n"a ""b""","c\nd\r\ne"\n"f,g",\'h\n\\.,"\\."\n',
    "white space and other scripts": "name,note\n a , \xa0b\n\U0001f9ea,é\n".encode(),
    "semicolons": b"name;note\na;1,5\nb;\n",
    "tabs, and records that end early": b"name\tnote\na\nb\tc\n",
    "no record": b"name,note\n",
    "several blocks": b"name,note\n" + b"".join(b"%d,x\n" % n for n in range(9000)),
}


@pytest.fixture
def cursor() -> Iterator[Cursor]:
    with closing(psycopg2.connect("")) as session, session.cursor() as cursor:
        yield cursor


def seed_of(folder: Path, content: bytes) -> Seed:
    (folder / "given.csv").write_bytes(content)
    config = {"delimiter": ",", "column_types": TYPES, "meta": {"csv_folder": str(folder)}}
    seed = seed_for_copy(SimpleNamespace(project_root=folder), {"name": "given", "config": config})
    assert seed
    return seed


def staged(seed: Seed, folder: Path) -> list[tuple[Any, ...]]:
    with SeedFile(seed.path, list(seed.wanted)) as file:
        number = staging.stage(file, seed, Folder.of(str(folder)))
    rows = [tuple(row.values()) for row in pq.read_table(folder).to_pylist()]
    assert len(rows) == number
    return rows


def loaded(seed: Seed, cursor: Cursor) -> list[tuple[Any, ...]]:
    types = {name: "text" if type_ == "boolean" else type_ for name, type_ in TYPES.items()}
    columns = ", ".join(f'"{name}" {type_}' for name, type_ in types.items())
    cursor.execute(f"create temporary table given ({columns})")
    with SeedFile(seed.path, list(seed.wanted)) as file:
        for part in file.copy_parts():
            names = ", ".join(f'"{name}"' for name in part.columns)
            copy = f"copy given ({names}) from stdin (format csv, delimiter '{file.delimiter}')"
            cursor.copy_expert(copy, BytesIO(b"".join(part.chunks)))
        if file.delimiter != ",":
            cursor.execute(f'update given set "{SEPARATOR}" = %s', [file.delimiter])
    cursor.execute("select * from given order by record_number")
    return cursor.fetchall()


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_parquet_has_what_copy_loads(
    tmp_path: Path, cursor: Cursor, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.setattr(staging, "_BLOCK", 10_000)
    seed = seed_of(tmp_path, content)
    assert staged(seed, tmp_path / "staged") == loaded(seed, cursor)


def test_a_malformed_file_is_named_with_its_line(tmp_path: Path) -> None:
    seed = seed_of(tmp_path, b"name,note\na,b\nc,d,e\n")
    with pytest.raises(SeedFileError, match=r"given\.csv, line 3: 3 fields where 2 are expected"):
        staged(seed, tmp_path / "staged")


VALUES: Mapping[str, tuple[pa.DataType, list[Any], str]] = {
    "id": (pa.int64(), [1, 2**62, None], "bigint"),
    "small": (pa.int32(), [-1, 7, None], "integer"),
    "ratio": (pa.float64(), [0.1, 1e300, None], "double precision"),
    "amount": (pa.decimal128(38, 15), [Decimal("45.50"), Decimal(100), None], "numeric"),
    "tiny": (
        pa.decimal128(38, 15),
        [Decimal(0), Decimal("-0.0000001"), Decimal("0.00000000001")],
        "numeric",
    ),
    "whole": (pa.decimal128(20, 0), [Decimal(0), Decimal(100), None], "numeric"),
    "day": (pa.date32(), [date(1, 1, 1), date(9999, 12, 31), None], "date"),
    "is_kept": (pa.bool_(), [True, False, None], "boolean"),
    "text": (pa.string(), ['a "b",\n\\.', "", None], "text"),
}


def test_what_is_copied_out_is_what_was_written(tmp_path: Path, cursor: Cursor) -> None:
    table = pa.table({name: pa.array(v, type_) for name, (type_, v, _) in VALUES.items()})
    pq.write_table(table, tmp_path / "part-0.parquet")
    folder = Folder.of(str(tmp_path))
    columns = staging.columns_of(folder)
    assert columns == {name: wanted for name, (_, _, wanted) in VALUES.items()}
    declared = ", ".join(f"{name} {type_}" for name, type_ in columns.items())
    cursor.execute(f"create temporary table copied ({declared})")
    lines = b"".join(staging.lines(folder, list(columns)))
    cursor.copy_expert("copy copied from stdin (format csv)", BytesIO(lines))
    cursor.execute("select * from copied")
    assert cursor.fetchall() == [tuple(row.values()) for row in table.to_pylist()]
    cursor.execute("select amount::text, tiny::text, whole::text from copied")
    assert cursor.fetchall() == [
        ("45.5", "0", "0"),
        ("100", "-0.0000001", "100"),
        (None, "0.00000000001", None),
    ]
