"""The SQL that an answer comes to, around that of its query."""

from pgrest_query import Query, Table
from psycopg2 import sql

# `_row` cannot be a column's name by chance, and a column would win over it.
_PAGE = """
select
    {text},
    count(*),
    to_regclass({name})::oid::bigint,
    {total}
from ({rows}) as _row
"""
# Within a statement the tables are found and locked before anything is computed, so that
# `to_regclass` names the very table that the rows are of. A build replaces it as a whole.
# Not so with EXECUTE of a prepared statement, which looks with what was committed before it waited
# for the lock, and so finds the new table empty.
_VERSION = """
select
    to_regclass({name})::oid::bigint,
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


def page(query: Query, form: str) -> tuple[sql.Composable, list[str]]:
    """One statement for all of a small answer.

    Its one row: the text (for CSV an array of arrays), how many rows, the table's oid, and the
    count if one is wanted.
    """
    text = _as_lists(query) if form == "csv" else sql.SQL(_OBJECTS[form])
    rows, (total, total_values) = query.rows(), _total(query, query.preferences.wants_count)
    statement = sql.SQL(_PAGE).format(
        text=text, name=_name(query.table), total=total, rows=rows.sql
    )
    return statement, [*total_values, *rows.values]


def version(query: Query, wants_count: bool) -> tuple[sql.Composable, list[str]]:
    """The table's oid, and the count if one is wanted."""
    total, values = _total(query, wants_count)
    table = sql.Identifier(query.table.schema, query.table.name)
    return sql.SQL(_VERSION).format(name=_name(query.table), total=total, table=table), values


def copy(query: Query, form: str) -> tuple[sql.Composable, list[str]]:
    """The statement that streams the rows, each a line."""
    rows = query.rows()
    if form != "csv":
        return sql.SQL(_JSON_COPY).format(rows=rows.sql), rows.values
    columns = sql.SQL(", ").join(sql.SQL("{0}::text as {0}").format(name) for name in _names(query))
    return sql.SQL(_CSV_COPY).format(columns=columns, rows=rows.sql), rows.values


def _total(query: Query, wants_count: bool) -> tuple[sql.Composable, list[str]]:
    if not wants_count:
        return sql.SQL("null::bigint"), []
    count = query.count()
    return sql.SQL("({})").format(count.sql), count.values


def _as_lists(query: Query) -> sql.Composable:
    names = sql.SQL(", ").join(sql.SQL("_row.{}::text").format(name) for name in _names(query))
    return sql.SQL("coalesce(json_agg(json_build_array({})), '[]')::text").format(names)


def _names(query: Query) -> list[sql.Identifier]:
    # psycopg2 reads a % in an identifier as the beginning of a placeholder.
    return [sql.Identifier(name.replace("%", "%%")) for name in query.columns]


def _name(table: Table) -> sql.Composable:
    return sql.Literal('"{}"."{}"'.format(table.schema, table.name.replace('"', '""')))
