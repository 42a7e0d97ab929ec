"""Elute's own schema, `elute`: made and brought up to date before anything uses it."""

import re
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import immutable_builds
import psycopg2
from psycopg2 import errors, sql

from elute.database.sessions import Session, connect
from elute.errors import ServerError

READER = "elute_reader"  # the role that serves the marts; it can do nothing else
_MIGRATIONS = Path(__file__).with_name("migrations")
_LOCK = "select pg_advisory_xact_lock(hashtextextended('elute schema', 0))"


def upgrade(environment: Mapping[str, str]) -> None:
    """Bring the schema `elute`, the list of builds and the reading role up to date.

    Re-runnable, and safe to call from several processes at once.

    Args:
        environment: the PG* variables that name the server.

    Raises:
        ServerError: there is no server, the user may not, or a newer Elute has been here.
    """
    try:
        with closing(connect(environment)) as session:
            try:
                _upgrade(session)
            except (errors.DuplicateObject, errors.UniqueViolation, errors.InternalError_):
                # Another database's Elute made the role in this moment; now it is there.
                _upgrade(session)
    except psycopg2.Error as error:
        why = " ".join(str(error).split()).rstrip(".")
        raise ServerError(
            "Elute's own tables (schemas elute and builds) cannot be brought up to date: "
            f"{why}. Let PGUSER own both and their tables, and start again."
        ) from error


def _upgrade(session: Session) -> None:
    with session, session.cursor() as cursor:
        cursor.execute(_LOCK)
        found, wanted = _version(session), migrations()
        if found is None:
            cursor.execute(_VERSIONS)
            found = 0
        if said := _newer(found):
            raise ServerError(said)
        for number, migration in enumerate(wanted[found:], start=found + 1):
            cursor.execute(migration)
            cursor.execute("insert into elute.schema_versions (version) values (%s)", [number])
        immutable_builds.prepare(cursor, "builds")
        _grant(session)


def newer(session: Session) -> str:
    """What to tell whoever has an older Elute than the database; "" if nobody has. Makes nothing.

    A schema that we may not read hinders no build, which does without it.
    """
    try:
        return _newer(_version(session) or 0)
    except psycopg2.ProgrammingError:
        return ""


def migrations() -> list[str]:
    """The SQL of every step, the first one first."""
    files = sorted(_MIGRATIONS.glob("[0-9]*.sql"))
    numbers = [int(re.match(r"\d+", file.name)[0]) for file in files]  # type: ignore[index]
    assert numbers == list(range(1, len(files) + 1)), "migrations are numbered without a gap"
    return [file.read_text(encoding="utf-8") for file in files]


def has_reader(session: Session) -> bool:
    """Whether the reading role is there and ours to take."""
    with session.cursor() as cursor:
        cursor.execute(_IS_OURS, [READER])
        return bool(cursor.rowcount)


_VERSIONS = """
create schema if not exists elute;
create table elute.schema_versions (
    version bigint primary key,
    applied_at timestamptz not null default now()
)
"""


def _newer(found: int) -> str:
    known = len(migrations())
    if found <= known:
        return ""
    return (
        f"A newer Elute has used this database: its schema elute is of version {found}, "
        f"and this Elute knows {known}. Update this Elute, or use the newer one."
    )


def _version(session: Session) -> int | None:
    """The last migration that was applied; None if there is no list of them."""
    with session.cursor() as cursor:
        cursor.execute("select to_regclass('elute.schema_versions')")
        if cursor.fetchone() == (None,):
            return None
        cursor.execute("select coalesce(max(version), 0) from elute.schema_versions")
        row = cursor.fetchone()
    assert row is not None
    return int(row[0])


# Asked first, for a grant writes to the catalogue even where it changes nothing, and roles belong
# to the whole server, where another database's Elute may be at the same.
# From 16 on, who makes a role is a member of it that may not yet take it.
_IS_OURS = """
select from pg_roles
where rolname = %s and pg_has_role(
    current_user,
    oid,
    case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end
)
"""
_READ = ("marts", "builds")
_MAY_READ = """
with schemas as (
    select pg_namespace.oid from pg_namespace where nspname = any(%(schemas)s)
)
select
    (
        select count(*) from schemas where has_schema_privilege(%(reader)s, schemas.oid, 'usage')
    ) = 2
    and not exists (
        select from pg_class
        where relnamespace in (select oid from schemas)
            and relkind in ('r', 'v')
            and not has_table_privilege(%(reader)s, oid, 'select')
    )
    and (
        select count(*) from pg_default_acl, aclexplode(defaclacl) as acl
        where defaclnamespace in (select oid from schemas)
            and defaclrole = current_user::regrole
            and acl.grantee = %(reader)s::regrole
    ) = 2
"""
_GRANTS = """
create schema if not exists marts;
grant usage on schema marts, builds to {reader};
grant select on all tables in schema marts, builds to {reader};
alter default privileges in schema marts, builds grant select on tables to {reader};
"""


def _grant(session: Session) -> None:
    """Make the reading role, and let it read all tables of builds and the views on them.

    A user who may not make roles goes on without; see `has_reader`.
    """
    reader = sql.Identifier(READER)
    with session.cursor() as cursor:
        cursor.execute("savepoint reader")
        try:
            cursor.execute("select from pg_roles where rolname = %s", [READER])
            if cursor.rowcount == 0:
                cursor.execute(sql.SQL("create role {}").format(reader))
            cursor.execute(_IS_OURS, [READER])
            if cursor.rowcount == 0:
                cursor.execute(sql.SQL("grant {} to current_user").format(reader))
            cursor.execute(_MAY_READ, {"reader": READER, "schemas": list(_READ)})
            if cursor.fetchone() != (True,):
                cursor.execute(sql.SQL(_GRANTS).format(reader=reader))
        except errors.InsufficientPrivilege:
            cursor.execute("rollback to savepoint reader")
