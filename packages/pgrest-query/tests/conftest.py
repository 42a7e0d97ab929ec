"""Tests on a PostgreSQL server, which PGHOST and the other PG* variables name."""

import os
from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
from pgrest_query import Column, Table
from psycopg2.extensions import connection as Connection  # noqa: N812

SCHEMA = f"pgrest_query_{os.getpid()}"
TYPES = {
    "id": "bigint",
    "name": "text",
    "score": "numeric(10,4)",
    "born": "date",
    "is_kept": "boolean",
    "record": "jsonb",
    "raw": "json",
    "tags": "text[]",
    "numbers": "integer[]",
    "period": "int4range",
    "words": "tsvector",
    "mood": f"{SCHEMA}.mood",
    "code": f"{SCHEMA}.code",
    '50% "off"': "text",
}
# PEOPLE and what they are known by, in the order of TYPES.
PEOPLE: list[tuple[object, ...]] = [
    (1, "Ada", "1.5", "1815-12-10", True, '{"a": {"b": "x"}, "n": 1}', "[1,\n 2]",
     "{red,blue}", "{1,2,3}", "[1,3]", "fat cat", "calm", "A-1", "yes"),
    (2, "Bo", "2.5", "1999-01-02", False, '{"a": {"b": "y"}, "n": 2}', "[3]",
     "{blue}", "{1,2}", "[4,7]", "fat rat", "wild", "B-2", "no"),
    (3, "Cy (jr)", None, None, None, '[{"k": "v"}, [7, 8]]', '{"n": "n"}',
     "{}", "{1}", "[8,11]", "impossible fun", "calm", None, None),
    (4, None, "0", "2020-02-29", True, None, None, None, None, None, None, None, None, ""),
]  # fmt: skip


@pytest.fixture(scope="session")
def people() -> Table:
    """A table with a column of each kind of type."""
    columns = tuple(Column(name, data_type) for name, data_type in TYPES.items())
    return Table(SCHEMA, "people", columns, key=("id",))


@pytest.fixture(scope="session")
def session(people: Table) -> Iterator[Connection]:
    """A session that may read the table, and nothing else."""
    if not os.environ.get("PGHOST"):
        pytest.fail("these tests need a PostgreSQL server: set PGHOST, or use run_tests.sh")
    with closing(psycopg2.connect("")) as owner:
        owner.autocommit = True
        cursor = owner.cursor()
        cursor.execute(f"create schema {SCHEMA}")
        cursor.execute(f"create type {SCHEMA}.mood as enum ('calm', 'wild')")
        cursor.execute(f"create domain {SCHEMA}.code as text")
        columns = ", ".join(
            '"{}" {}'.format(name.replace('"', '""'), data_type)
            for name, data_type in TYPES.items()
        )
        cursor.execute(f"create table {SCHEMA}.people ({columns})")
        places = ", ".join(["%s"] * len(TYPES))
        cursor.executemany(f"insert into {SCHEMA}.people values ({places})", PEOPLE)
        with closing(psycopg2.connect("")) as reader:
            reader.set_session(readonly=True, autocommit=True)
            yield reader
        cursor.execute(f"drop schema {SCHEMA} cascade")
