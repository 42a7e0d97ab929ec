"""What is published: the newest build, and its marts as PostgreSQL describes them."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import pgrest_query
from psycopg2 import errors
from psycopg2.extras import Json, RealDictCursor

from elute.database.sessions import Session

# The newest first: an index is read from its end, whatever the number of builds.
NEWEST = "select invocation_id from builds.publications order by build desc limit 1"
_BUILD = "select * from builds.publications where {} = %s"
_COLUMNS = """
select
    entry.key,
    pg_attribute.attname as name,
    format_type(pg_attribute.atttypid, pg_attribute.atttypmod) as data_type,
    coalesce(col_description(pg_attribute.attrelid, pg_attribute.attnum), '') as description,
    not pg_attribute.attnotnull as nullable,
    array_position(pg_constraint.conkey, pg_attribute.attnum) as key_position
from jsonb_each(%s) as entry
inner join pg_namespace on pg_namespace.nspname = entry.value ->> 'schema'
inner join pg_class
    on pg_class.relnamespace = pg_namespace.oid and pg_class.relname = entry.value ->> 'table'
inner join pg_attribute
    on pg_attribute.attrelid = pg_class.oid
    and pg_attribute.attnum > 0
    and not pg_attribute.attisdropped
left join pg_constraint
    on pg_constraint.conrelid = pg_class.oid and pg_constraint.contype = 'p'
order by entry.key, pg_attribute.attnum
"""


@dataclass(frozen=True)
class Column(pgrest_query.Column):
    """A column of a mart. `data_type` is as `format_type()` names it, such as `bigint`.

    `unit` is that of its values, if its meta states one.
    """

    description: str = ""
    nullable: bool = True
    unit: str = ""

    @property
    def kind(self) -> str:
        """What can be done with its type, as `pgrest_query.kind` says it."""
        return pgrest_query.kind(self.data_type)

    @property
    def is_number(self) -> bool:
        """Whether it can be summed."""
        return self.kind == "number"

    @property
    def is_whole(self) -> bool:
        """Whether it is a number without decimals."""
        return self.data_type in ("smallint", "integer", "bigint")


@dataclass(frozen=True, eq=False)
class Mart:
    """A mart of one build. `table` is the build's own, which nothing ever changes.

    It has no columns once that is dropped.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    table: pgrest_query.Table

    @cached_property
    def by_name(self) -> Mapping[str, Column]:
        """Its columns by their names."""
        return {column.name: column for column in self.columns}


@dataclass(frozen=True, eq=False)
class Build:
    """A published build: the marts of it that are served, and all its tables, by name.

    A table is its schema and its name. `noted` is what else `builds.publications` has of it, by
    column; `sql` the compiled SQL of the models that made it, by name, if that is kept.
    """

    number: int
    invocation_id: str
    published_at: datetime
    marts: Mapping[str, Mart]
    tables: Mapping[str, tuple[str, str]]
    noted: Mapping[str, Any]
    sql: Mapping[str, str]

    @property
    def is_whole(self) -> bool:
        """Whether the tables of all its marts were there when it was described."""
        return all(mart.columns for mart in self.marts.values())


class Catalogue:
    """The newest build: looked up at each call, described once if all of it is there.

    Attributes:
        known: the build that was the newest when it was looked up last.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.known: Build | None = None

    def newest(self, session: Session) -> Build | None:
        """The build that is published at this moment; None before the first."""
        with session.cursor() as cursor:
            try:
                cursor.execute(NEWEST)
            except errors.UndefinedTable:
                return None
            row = cursor.fetchone()
        if row is None:
            return None
        build = self._known_as(row[0])
        if build is None:
            with self._lock:  # Only one describes it, for all.
                build = self._known_as(row[0]) or _described(session, "invocation_id", row[0])
                self.known = build
        return build

    def _known_as(self, invocation_id: str) -> Build | None:
        build = self.known
        is_it = build is not None and build.invocation_id == invocation_id and build.is_whole
        return build if is_it else None


def numbered(session: Session, number: int) -> Build | None:
    """The build of that number; None if there never was one."""
    try:
        return _described(session, "build", number)
    except errors.UndefinedTable:
        return None


def columns_of(session: Session, tables: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """What PostgreSQL has of the columns of these tables, by their keys; none if one is dropped.

    Args:
        session: where they are.
        tables: each with its `schema` and its `table`.
    """
    with session.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(_COLUMNS, [Json(tables)])
        columns: dict[str, list[Mapping[str, Any]]] = {key: [] for key in tables}
        for row in cursor.fetchall():
            columns[row["key"]].append(row)
    return columns


def _described(session: Session, column: str, value: object) -> Build | None:
    with session.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(_BUILD.format(column), [value])
        build = cursor.fetchone()
        if build is None:
            return None
        served = {
            name: table
            for name, table in build["tables"].items()
            if table["meta"].get("served", True) is not False
        }
    columns = columns_of(session, served)
    return Build(
        number=build["build"],
        invocation_id=build["invocation_id"],
        published_at=build["published_at"],
        marts={name: _mart(name, table, columns[name]) for name, table in served.items()},
        tables={name: (table["schema"], table["table"]) for name, table in build["tables"].items()},
        noted={name: value for name, value in build.items() if name != "tables"},
        sql={k: v for table in build["tables"].values() for k, v in table.get("sql", {}).items()},
    )


def _mart(name: str, table: Mapping[str, Any], rows: list[Mapping[str, Any]]) -> Mart:
    columns = tuple(
        Column(
            row["name"],
            row["data_type"],
            row["description"],
            row["nullable"],
            str(table.get("column_meta", {}).get(row["name"], {}).get("unit", "")),
        )
        for row in rows
    )
    key = sorted((row["key_position"], row["name"]) for row in rows if row["key_position"])
    source = pgrest_query.Table(
        table["schema"], table["table"], columns, tuple(name for _, name in key), label=name
    )
    return Mart(name, " ".join(table["description"].split()), columns, source)
