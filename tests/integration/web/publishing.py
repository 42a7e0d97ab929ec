"""Publishing in a moment what takes a build seconds: a table of a build, and its row."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from uuid import uuid4

from psycopg2 import sql
from psycopg2.extras import Json

from elute.database.sessions import Session


def publish(
    owner: Session,
    columns: str = "*",
    mart: str = "user_summary",
    *,
    key: str = "user_id",
    changes: Iterable[str] = (),
) -> None:
    """Publish the newest build again, with these columns of a mart in a new table.

    That is changed before by statements in which {} stands for it. `key` is empty if it has none.
    """
    with owner.cursor() as cursor:
        cursor.execute("select tables from builds.publications order by build desc limit 1")
        [[tables]] = cursor.fetchall()
        invocation_id = str(uuid4())
        old, new = tables[mart]["table"], f"{mart}__{invocation_id.replace('-', '')}"
        statement = sql.SQL("create table builds.{} as select {} from builds.{}").format(
            sql.Identifier(new), sql.SQL(columns), sql.Identifier(old)
        )
        cursor.execute(statement)
        table = sql.Identifier("builds", new)
        if key:
            change = sql.SQL("alter table {} add primary key ({})")
            cursor.execute(change.format(table, sql.Identifier(key)))
        for each in changes:
            cursor.execute(sql.SQL(each).format(table))
        tables[mart]["table"] = new
    register(owner, tables, invocation_id)


def register(owner: Session, tables: object, invocation_id: str | None = None) -> None:
    """Publish a build whose tables are there already."""
    owner.cursor().execute(
        "insert into builds.publications (invocation_id, options, files, tables) "
        "values (%s, '{}', '{}', %s)",
        [invocation_id or str(uuid4()), Json(tables)],
    )


@contextmanager
def published(owner: Session, *changes: str, **what: str) -> Iterator[None]:
    """The newest build again, with a mart changed by these statements, for a while."""
    publish(owner, **what, changes=changes)
    try:
        yield
    finally:
        owner.cursor().execute(
            "delete from builds.publications "
            "where build = (select max(build) from builds.publications)"
        )


def withdraw(owner: Session) -> None:
    """Forget all builds but the first."""
    owner.cursor().execute(
        "delete from builds.publications where build > (select min(build) from builds.publications)"
    )
