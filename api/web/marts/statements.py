"""The SQL that a query comes to."""

from typing import Any

from psycopg2 import sql

from api.web.marts.catalogue import SCHEMA, Mart
from api.web.marts.query import Query
from api.web.marts.selecting import TABLE

# `_row` cannot be a column's name by chance, and a column would win over it.
_PAGE = """
select
    {text},
    count(*),
    {build},
    {total}
from ({rows}) as _row
"""
# Within a statement the views are found and locked before anything is computed, and a build changes
# all of them in one transaction, so that the newest build is the one that the rows are of. 0 before
# the first one that was published, in a database of an older Elute. Not so with EXECUTE of a
# prepared statement, which looks with what was committed before it waited for the lock.
_BUILD = sql.SQL("(select coalesce(max(build), 0) from builds.publications)")
_VERSION = """
select
    {build},
    {total}
from (select from {table} limit 1) as _row
right join (select) as _one on true
"""
_OBJECTS = {
    "json": "coalesce('[' || string_agg(row_to_json(_row)::text, E',\\n') || ']', '[]')",
    "object": "string_agg(row_to_json(_row)::text, E'\\n')",
    "ndjson": "string_agg(row_to_json(_row)::text || E'\\n', '')",
}
# JSON text holds no control characters, so COPY has nothing to quote.
_JSON_COPY = r"""
copy (select row_to_json(_row)::text from ({rows}) as _row) to stdout
with (format csv, quote E'\x01', delimiter E'\x02')
"""
_CSV_COPY = "copy (select {columns} from ({rows}) as _row) to stdout with (format csv, header)"


def table(mart: Mart) -> sql.Composable:
    """The mart's table."""
    return sql.Identifier(SCHEMA, mart.name)


def values(query: Query) -> list[str]:
    """What goes into the placeholders of its rows."""
    return [value.text for value in query.where.values] if query.where else []


def rows(query: Query) -> sql.Composable:
    """The rows asked for."""
    parts = [_select(query)]
    # Its own order last, so that pages fit together whatever ties.
    order = [*query.order, *_own_order(query)]
    if order:
        parts.append(sql.SQL("order by {}").format(sql.SQL(", ").join(order)))
    if query.limit is not None:
        parts.append(sql.SQL("limit {}").format(sql.Literal(query.limit)))
    if query.offset:
        parts.append(sql.SQL("offset {}").format(sql.Literal(query.offset)))
    return sql.SQL(" ").join(parts)


def page(query: Query, form: str) -> tuple[sql.Composable, list[Any]]:
    """One statement for all of a small answer.

    Its one row: the text (for CSV an array of arrays), how many rows, the build, and the
    count if one is wanted.
    """
    text = _as_lists(query) if form == "csv" else sql.SQL(_OBJECTS[form])
    statement = sql.SQL(_PAGE).format(
        text=text, build=_BUILD, total=_total(query), rows=rows(query)
    )
    return statement, [*(values(query) if query.wants_count else []), *values(query)]


def version(query: Query, wants_count: bool) -> tuple[sql.Composable, list[Any]]:
    """The build, and the count if one is wanted."""
    total = _total(query) if wants_count else sql.NULL
    statement = sql.SQL(_VERSION).format(build=_BUILD, total=total, table=table(query.mart))
    return statement, values(query) if wants_count else []


def copy(query: Query, form: str) -> tuple[sql.Composable, list[Any]]:
    """The statement that streams the rows, each a line."""
    if form != "csv":
        return sql.SQL(_JSON_COPY).format(rows=rows(query)), values(query)
    columns = sql.SQL(", ").join(
        sql.SQL("{0}::text as {0}").format(sql.Identifier(output.name)) for output in query.outputs
    )
    return sql.SQL(_CSV_COPY).format(columns=columns, rows=rows(query)), values(query)


def _select(query: Query) -> sql.Composable:
    columns = sql.SQL(", ").join(
        sql.SQL("{} as {}").format(output.expression, sql.Identifier(output.name))
        for output in query.outputs
    )
    source = sql.SQL("{} as {}").format(table(query.mart), sql.Identifier(TABLE))
    parts = [sql.SQL("select {} from {}").format(columns, source)]
    if query.where:
        parts.append(sql.SQL("where {}").format(query.where.statement))
    groups = _groups(query)
    if groups:
        parts.append(sql.SQL("group by {}").format(sql.SQL(", ").join(groups)))
    return sql.SQL(" ").join(parts)


def _groups(query: Query) -> list[sql.Composable]:
    if not query.is_grouped:
        return []
    return [output.expression for output in query.outputs if not output.is_aggregate]


def _own_order(query: Query) -> list[sql.Composable]:
    if query.is_grouped:
        return _groups(query)
    # Without a key, by all that there is.
    names = query.mart.key or tuple(query.mart.by_name)
    return [sql.Identifier(TABLE, name) for name in names]


def _total(query: Query) -> sql.Composable:
    if not query.wants_count:
        return sql.SQL("null::bigint")
    return sql.SQL("(select count(*) from ({}) as _all)").format(_select(query))


def _as_lists(query: Query) -> sql.Composable:
    names = sql.SQL(", ").join(
        sql.SQL("_row.{}::text").format(sql.Identifier(output.name)) for output in query.outputs
    )
    return sql.SQL("coalesce(json_agg(json_build_array({})), '[]')::text").format(names)
