"""A mart over the builds that are kept, in SQL: its rows in each of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pgrest_query
from psycopg2 import sql
from psycopg2.extras import RealDictCursor

from elute.database import history
from elute.database.builds import Column, Mart, columns_of
from elute.database.changes import WITHOUT_EQUALITY
from elute.database.sessions import Session

_TABLES = """
select build, published_at, entry ->> 'schema' as schema, entry ->> 'table' as table
from builds.publications
cross join lateral (select tables -> %s as entry) as mart
where build >= %s
    and to_regclass(format('%%I.%%I', entry ->> 'schema', entry ->> 'table')) is not null
    and entry #>> '{meta,served}' is distinct from 'false'
order by build
"""
_BUILD = (
    Column("build", "bigint", "The build that the row is of.", nullable=False),
    Column("published_at", "timestamp with time zone", "When it was published.", nullable=False),
)


def over_builds(session: Session, mart: Mart) -> Mart:
    """A mart as it was in each build that still has its table.

    Args:
        session: knows the builds.
        mart: that of the newest one, which says what the columns are. What a build does not have,
            or in another type, is null.
    """
    with session.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(_TABLES, [mart.name, history.first_with_tables(session)])
        builds = {str(row["build"]): row for row in cursor.fetchall()}
    tables = {key: {"schema": row["schema"], "table": row["table"]} for key, row in builds.items()}
    found = {key: rows for key, rows in columns_of(session, tables).items() if rows}
    if not found:
        return mart  # Its own table is not there either, as reading it will say.
    added = {column.name for column in _BUILD}
    columns = [column for column in mart.columns if column.name not in added]
    selects = [
        sql.SQL("select {}::bigint as build, {} as published_at{} from {}").format(
            sql.Literal(builds[key]["build"]),
            sql.Literal(builds[key]["published_at"]),
            sql.SQL("").join(_value(column, rows) for column in columns),
            sql.Identifier(builds[key]["schema"], builds[key]["table"]),
        )
        for key, rows in found.items()
    ]
    query = sql.SQL(" union all ").join(selects).as_string(session)
    names = mart.table.key or tuple(
        column.name for column in columns if column.data_type.rstrip("[]") not in WITHOUT_EQUALITY
    )
    nullable = (*_BUILD, *(replace(column, nullable=True) for column in columns))
    table = pgrest_query.Table(
        *("", "", nullable, ("build", *names)), f"{mart.name} over builds", query.replace("%", "%%")
    )
    return Mart(mart.name, mart.description, nullable, table)


def _value(column: Column, rows: Sequence[Mapping[str, Any]]) -> sql.Composable:
    name = sql.Identifier(column.name)
    if any((row["name"], row["data_type"]) == (column.name, column.data_type) for row in rows):
        return sql.SQL(", {}").format(name)
    return sql.SQL(", null::{} as {}").format(sql.SQL(column.data_type), name)
