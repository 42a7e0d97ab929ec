"""Publishing in a moment what takes a build seconds: a table of a build, and its row."""

from uuid import uuid4

from psycopg2 import sql
from psycopg2.extras import Json

from elute.database.sessions import Session


def publish(owner: Session, columns: str = "*", mart: str = "user_summary") -> None:
    """Publish the newest build again, with these columns of a mart in a new table."""
    with owner.cursor() as cursor:
        cursor.execute("select tables from builds.publications order by build desc limit 1")
        [[tables]] = cursor.fetchall()
        invocation_id = str(uuid4())
        old, new = tables[mart]["table"], f"{mart}__{invocation_id.replace('-', '')}"
        statement = sql.SQL("create table builds.{} as select {} from builds.{}").format(
            sql.Identifier(new), sql.SQL(columns), sql.Identifier(old)
        )
        cursor.execute(statement)
        key = sql.SQL("alter table builds.{} add primary key (user_id)")
        cursor.execute(key.format(sql.Identifier(new)))
        tables[mart]["table"] = new
    register(owner, tables, invocation_id)


def register(owner: Session, tables: object, invocation_id: str | None = None) -> None:
    """Publish a build whose tables are there already."""
    owner.cursor().execute(
        "insert into builds.publications (invocation_id, options, files, tables) "
        "values (%s, '{}', '{}', %s)",
        [invocation_id or str(uuid4()), Json(tables)],
    )


def withdraw(owner: Session) -> None:
    """Forget all builds but the first."""
    owner.cursor().execute(
        "delete from builds.publications where build > (select min(build) from builds.publications)"
    )
