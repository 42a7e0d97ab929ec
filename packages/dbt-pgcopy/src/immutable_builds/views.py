"""Views on tables of builds: pointed at another table with all that others have made of them."""

from collections.abc import Mapping, Sequence

from psycopg2 import errors, sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from immutable_builds.queries import QUERIES

Name = tuple[str, str]  # schema and name


class InTheWayError(Exception):
    """A view cannot be made because of something that others have made; says of what."""


def point_view(cursor: Cursor, view: Name, table: Name) -> None:
    """Make a view show a table; the view may be there, or be a table of the same name.

    Raises:
        InTheWayError: something depends on what has to be dropped for that.
    """
    statement = sql.SQL("create or replace view {} as select * from {}").format(
        sql.Identifier(*view), sql.Identifier(*table)
    )
    if _kind(cursor, view) == "r":
        _replace_table(cursor, view, statement)
        return
    cursor.execute("savepoint before_view")
    try:
        cursor.execute(statement)
    except errors.InvalidTableDefinition:
        # Columns can only be added, at the end.
        cursor.execute("rollback to savepoint before_view")
        grants = _column(cursor, QUERIES["grants"], {"name": _text(cursor, view)})
        drop_view(cursor, view, "has to be made anew, for its columns have changed")
        cursor.execute(statement)
        _execute_where_possible(cursor, grants)
    except errors.WrongObjectType as error:
        raise InTheWayError(
            f"{'.'.join(view)} is neither a view nor a table, and so cannot show a build: "
            "drop it, and build again."
        ) from error


def drop_view(cursor: Cursor, view: Name, why: str) -> None:
    """Drop a view if nothing depends on it.

    Raises:
        InTheWayError: something does.
    """
    try:
        cursor.execute(sql.SQL("drop view {}").format(sql.Identifier(*view)))
    except errors.DependentObjectsStillExist as error:
        raise _in_the_way(view, why, error) from error


def shows(cursor: Cursor, view: Name, table: Name) -> bool:
    """Whether a view reads a table; one that dbt has made in its place since does not."""
    cursor.execute(QUERIES["shows"], [_text(cursor, view), _text(cursor, table)])
    return cursor.rowcount > 0


def adopt_grants_and_comments(cursor: Cursor, views: Sequence[str], tables: Sequence[str]) -> None:
    """Let who may read a table read its view, and describe the view as the table is.

    Args:
        cursor: with an empty search path.
        views: quoted names.
        tables: of each view, in the same order.
    """
    values = {"views": list(views), "sources": list(tables)}
    statements = _column(cursor, QUERIES["adopted"], values)
    if statements:
        cursor.execute(";\n".join(statements))


def _replace_table(cursor: Cursor, name: Name, statement: sql.Composable) -> None:
    """Put a view in the place of a table, and let the views that read the table read the view."""
    text = _text(cursor, name)
    grants = _column(cursor, QUERIES["grants"], {"name": text})
    readers = _column(cursor, QUERIES["readers"], [text])
    aside = f"{name[1][:40]}__dbt_old"
    cursor.execute(
        sql.SQL("alter table {} rename to {}").format(sql.Identifier(*name), sql.Identifier(aside))
    )
    cursor.execute(statement)
    _execute_where_possible(cursor, grants)
    try:
        for reader in readers:
            cursor.execute(reader)
        cursor.execute(sql.SQL("drop table {}").format(sql.Identifier(name[0], aside)))
    except (errors.DependentObjectsStillExist, errors.InvalidTableDefinition) as error:
        raise _in_the_way(name, "has to become a view", error) from error


def _execute_where_possible(cursor: Cursor, statements: Sequence[str]) -> None:
    """Grants on columns that are gone, or of kinds that a view has none of, are not made."""
    for statement in statements:
        cursor.execute("savepoint before_grant")
        try:
            cursor.execute(statement)
        except (errors.UndefinedColumn, errors.InvalidGrantOperation, errors.WrongObjectType):
            cursor.execute("rollback to savepoint before_grant")


def _column(
    cursor: Cursor, query: str, values: Mapping[str, object] | Sequence[object]
) -> list[str]:
    """What a query of one column finds."""
    cursor.execute(query, values)
    return [text for (text,) in cursor.fetchall()]


def _in_the_way(name: Name, why: str, error: errors.Error) -> InTheWayError:
    detail = " ".join((error.diag.message_detail or str(error)).split()).rstrip(".")
    return InTheWayError(
        f"{'.'.join(name)} {why}, and others depend on it: {detail}. Drop what depends on it, "
        "build again, and make it anew where it can be."
    )


def _kind(cursor: Cursor, name: Name) -> str | None:
    """PostgreSQL's letter for what has that name: r for a table, v for a view."""
    query = "select relkind::text from pg_class where oid = to_regclass(%s)"
    return next(iter(_column(cursor, query, [_text(cursor, name)])), None)


def _text(cursor: Cursor, name: Name) -> str:
    return sql.Identifier(*name).as_string(cursor)
