"""A mart over the builds that are kept, in SQL: its rows in each of them."""

from collections.abc import Mapping
from dataclasses import replace

import pgrest_query
from psycopg2 import sql

from elute.database.builds import Column, Mart
from elute.database.changes import WITHOUT_EQUALITY
from elute.database.sessions import Session

_TABLES = """
select
    publications.build,
    publications.published_at,
    pg_namespace.nspname,
    pg_class.relname,
    json_object_agg(
        pg_attribute.attname, format_type(pg_attribute.atttypid, pg_attribute.atttypmod)
    )
from builds.publications
cross join lateral jsonb_to_record(publications.tables -> %s) as entry (schema text, "table" text)
inner join pg_namespace on pg_namespace.nspname = entry.schema
inner join pg_class
    on pg_class.relnamespace = pg_namespace.oid and pg_class.relname = entry."table"
inner join pg_attribute
    on pg_attribute.attrelid = pg_class.oid
    and pg_attribute.attnum > 0
    and not pg_attribute.attisdropped
where publications.tables -> %s #>> '{meta,served}' is distinct from 'false'
group by publications.build, publications.published_at, pg_namespace.nspname, pg_class.relname
order by publications.build
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
    with session.cursor() as cursor:
        cursor.execute(_TABLES, [mart.name, mart.name])
        found = cursor.fetchall()
    if not found:
        return mart  # Its own table is not there either, as reading it will say.
    added = {column.name for column in _BUILD}
    columns = [column for column in mart.columns if column.name not in added]
    selects = [
        sql.SQL("select {}::bigint as build, {} as published_at{} from {}").format(
            sql.Literal(build),
            sql.Literal(published_at),
            sql.SQL("").join(_value(column, types) for column in columns),
            sql.Identifier(schema, table),
        )
        for build, published_at, schema, table, types in found
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


def _value(column: Column, types: Mapping[str, str]) -> sql.Composable:
    name = sql.Identifier(column.name)
    if types.get(column.name) == column.data_type:
        return sql.SQL(", {}").format(name)
    return sql.SQL(", null::{} as {}").format(sql.SQL(column.data_type), name)
