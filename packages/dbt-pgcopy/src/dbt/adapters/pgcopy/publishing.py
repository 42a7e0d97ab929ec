"""Publishing a build: one transaction registers it and points every view at its tables."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from dbt.adapters.events.logging import AdapterLogger
from dbt.adapters.pgcopy.views import (
    InTheWayError,
    adopt_grants_and_comments,
    drop_view,
    point_view,
)
from dbt.include.pgcopy import PACKAGE_PATH
from psycopg2 import errors, sql
from psycopg2.extensions import connection as PostgresSession  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from psycopg2.extras import Json

STAYS = "What was published before stays."
_MOST_BYTES = 63  # of a name in PostgreSQL
_LOCK_TIMEOUT = "100ms"  # Others queue behind a lock that is waited for.
_PAUSE = 0.3  # seconds between two attempts; lets readers in, and Ctrl-C
_RECONNECT_SECONDS = 5.0

_SETTINGS = f"""
set local lock_timeout = '{_LOCK_TIMEOUT}';
-- What was reported as published is still so after a crash of the server.
set local synchronous_commit = on;
-- Definitions of views then name all schemas.
set local search_path = '';
"""
_HOLDS_LOCK = """
select exists (
    select from pg_locks
    where locktype = 'advisory' and granted and objsubid = 1 and pid = %(pid)s
        and database = (select oid from pg_database where datname = current_database())
        and (classid::bigint << 32 | objid::bigint) = hashtextextended(%(name)s, 0)
)
"""
_LATEST = sql.SQL("select files, tables from {} order by build desc limit 1")
_REGISTER = sql.SQL("""
insert into {} (invocation_id, run_id, project_version, options, files, tables)
values (%s, %s, %s, %s, %s, %s)
returning build
""")
# Whoever has only read `publications` is in nobody's way.
_HOLDERS = """
select
    activity.pid,
    coalesce(nullif(activity.application_name, ''), 'a session without a name'),
    coalesce(activity.usename::text, 'unknown'),
    coalesce(activity.xact_start::timestamp(0)::text, 'unknown'),
    string_agg(distinct held.relation::regclass::text, ', ')
from pg_locks as held
join pg_stat_activity as activity using (pid)
where held.locktype = 'relation' and held.granted and held.pid <> pg_backend_pid()
    and held.database = (select oid from pg_database where datname = current_database())
    and (
        held.relation = any(%(views)s::regclass[])
        or held.relation = %(publications)s::regclass
        and held.mode not in ('AccessShareLock', 'RowShareLock')
    )
group by activity.pid, activity.application_name, activity.usename, activity.xact_start
order by activity.xact_start
"""
# Tables that are named like those of builds, and that none of the newest builds names.
_UNNEEDED = sql.SQL("""
select relname
from pg_class
where relnamespace = to_regnamespace(%(schema)s)
    and relkind = 'r' and relname ~ '__[0-9a-f]{{32}}$'
    and relname not in (
        select entry.value ->> 'table'
        from (select tables from {publications} order by build desc limit %(keep)s) as newest
        cross join lateral jsonb_each(newest.tables) as entry
    )
order by relname
""")

logger = AdapterLogger("Pgcopy")


@dataclass(frozen=True)
class Build:
    """What is to be published.

    Attributes:
        schema: of its tables, and of `publications`.
        marts: of the project, by name: `view_schema`, `table` (None if it was not built this time)
            and whatever else is to be noted.
        lock: name of the run lock and process id of the session that has to hold it still, if any.
    """

    schema: str
    invocation_id: str
    marts: Mapping[str, Mapping[str, Any]]
    files: Mapping[str, str]
    options: Mapping[str, Any]
    project_version: str | None
    run_id: int | None
    lock: tuple[str, int] | None


@dataclass
class _Waiting:
    """How long an attempt may be tried again, and what was said of that."""

    until: float
    said: set[int] = field(default_factory=set)


class PublishingError(Exception):
    """A build cannot be published; says why, for people."""


def table_name(mart: str, invocation_id: str) -> str:
    """The name of a mart's table in a build: at most 63 bytes, and another one for another mart."""
    suffix = "__" + invocation_id.replace("-", "")
    room = _MOST_BYTES - len(suffix.encode())
    if len(mart.encode()) > room:
        digest = sha256(mart.encode()).hexdigest()[:6]
        start = mart.encode()[: room - len(digest) - 1].decode(errors="ignore")
        mart = f"{start}_{digest}"
    return mart + suffix


def prepare(session: PostgresSession, schema: str) -> None:
    """Make the schema of builds and its table `publications`, if they are not there."""
    with _transaction(session) as cursor:
        cursor.execute("select to_regclass(%s)", [_quoted(schema, "publications")])
        if cursor.fetchone() == (None,):
            text = Path(PACKAGE_PATH, "builds.sql").read_text(encoding="utf-8")
            cursor.execute(sql.SQL(text).format(schema=sql.Identifier(schema)))


def publish(session: PostgresSession, build: Build, seconds: float) -> int:
    """Publish a build, and return its number.

    Args:
        session: not in a transaction.
        build: what to publish.
        seconds: how long to try again while somebody else holds a view.

    Raises:
        PublishingError: it cannot be.
        psycopg2.Error: something went wrong; nothing is published, unless the session was lost.
    """
    waiting = _Waiting(time.monotonic() + seconds)
    number = None
    while number is None:
        number = _attempt(session, build)
        if number is None:
            _wait(session, build, waiting, seconds)
    return number


def _attempt(session: PostgresSession, build: Build) -> int | None:
    """The number of the build; None if somebody holds what has to be changed."""
    try:
        with _transaction(session) as cursor:
            return _publish(cursor, build)
    except errors.LockNotAvailable:
        return None
    except InTheWayError as error:
        raise PublishingError(f"{error} {STAYS}") from error


def number_of(session: PostgresSession, schema: str, invocation_id: str) -> int | None:
    """The number of the build that this invocation published; None if it published none."""
    publications = sql.Identifier(schema, "publications")
    with _transaction(session) as cursor:
        # Behind a session that was given up and may be about to commit.
        cursor.execute("set local lock_timeout = %s", [f"{_RECONNECT_SECONDS}s"])
        cursor.execute(sql.SQL("lock table {} in share mode").format(publications))
        cursor.execute(
            sql.SQL("select build from {} where invocation_id = %s").format(publications),
            [invocation_id],
        )
        row = cursor.fetchone()
    return row[0] if row else None


def drop_unneeded(session: PostgresSession, schema: str, keep: int) -> None:
    """Drop the tables that are not of the newest `keep` builds; one in use stays for now."""
    publications = sql.Identifier(schema, "publications")
    with _transaction(session) as cursor:
        cursor.execute(
            _UNNEEDED.format(publications=publications),
            {"schema": sql.Identifier(schema).as_string(session), "keep": keep},
        )
        names = [name for (name,) in cursor.fetchall()]
    for name in names:
        table = sql.Identifier(schema, name)
        try:
            with _transaction(session) as cursor:
                lock = sql.SQL("lock table {} in access exclusive mode nowait").format(table)
                cursor.execute(lock)
                cursor.execute(sql.SQL("drop table {}").format(table))
        except (
            errors.LockNotAvailable,
            errors.DependentObjectsStillExist,
            errors.InsufficientPrivilege,
            errors.UndefinedTable,
        ) as error:
            logger.debug(f"{name} stays for now: {error}")


def _publish(cursor: Cursor, build: Build) -> int:
    cursor.execute(_SETTINGS)
    if build.lock is not None:
        _require_lock(cursor, *build.lock)
    publications = sql.Identifier(build.schema, "publications")
    # One publication at a time, whoever else reads.
    cursor.execute(sql.SQL("lock table {} in share row exclusive mode").format(publications))
    cursor.execute(_LATEST.format(publications))
    files, tables = cursor.fetchone() or ({}, {})
    published = _tables(build, tables)
    # In one order, and all of them: who reads one mart then reads one build until the transaction
    # ends, for nothing is published while any of the views is held.
    for name, entry in sorted(published.items()):
        point_view(cursor, (entry["view_schema"], name), (entry["schema"], entry["table"]))
    for name in sorted(set(tables) - set(published)):
        drop_view(cursor, (tables[name]["view_schema"], name), "it is no longer in the project")
    adopt_grants_and_comments(
        cursor,
        [_quoted(entry["view_schema"], name) for name, entry in published.items()],
        [_quoted(entry["schema"], entry["table"]) for entry in published.values()],
    )
    cursor.execute(
        _REGISTER.format(publications),
        [
            build.invocation_id,
            build.run_id,
            build.project_version,
            Json(dict(build.options)),
            Json({**files, **build.files}),
            Json(published),
        ],
    )
    row = cursor.fetchone()
    assert row is not None
    return int(row[0])


def _tables(build: Build, before: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What each mart shows: its new table, or the one that it has shown before."""
    published = {}
    for name, mart in build.marts.items():
        if mart["table"] is not None:
            published[name] = {"schema": build.schema, **mart}
        elif name in before:
            published[name] = dict(before[name])
    return published


def _require_lock(cursor: Cursor, name: str, pid: int) -> None:
    cursor.execute(_HOLDS_LOCK, {"name": name, "pid": pid})
    if cursor.fetchone() != (True,):
        raise PublishingError(
            f"The session that held the run lock '{name}' was lost, so another run may be "
            f"going on. This build stays unpublished. {STAYS} Build again."
        )


def _wait(session: PostgresSession, build: Build, waiting: _Waiting, seconds: float) -> None:
    """Pause before the next attempt, and say for whom.

    Raises:
        PublishingError: the time is up.
    """
    with _transaction(session) as cursor:
        views = [_quoted(mart["view_schema"], name) for name, mart in build.marts.items()]
        cursor.execute(
            "select array_agg(view) from unnest(%s::text[]) as view "
            "where to_regclass(view) is not null",
            [views],
        )
        [[known]] = cursor.fetchall()
        publications = _quoted(build.schema, "publications")
        cursor.execute(_HOLDERS, {"views": known or [], "publications": publications})
        holders = cursor.fetchall()
    described = "; ".join(map(_described, holders)) or "a session that has just let go"
    if time.monotonic() >= waiting.until:
        raise PublishingError(
            f"Publishing was held up for {seconds:g} s: {described}. This build stays unpublished. "
            f"{STAYS} Let that transaction end, and build again."
        )
    pids = {holder[0] for holder in holders}
    if pids - waiting.said:
        logger.info(f"Publishing waits for {described}.")
        waiting.said |= pids
    time.sleep(_PAUSE)


def _described(holder: Sequence[Any]) -> str:
    pid, application, user, since, relations = holder
    return f"{application} (pid {pid}, user {user}), in a transaction since {since} on {relations}"


@contextmanager
def _transaction(session: PostgresSession) -> Iterator[Cursor]:
    """One transaction, whatever dbt has made psycopg2 believe of the session."""
    session.rollback()
    autocommit = session.autocommit
    session.autocommit = False
    try:
        with session, session.cursor() as cursor:
            yield cursor
    finally:
        if not session.closed:
            session.autocommit = autocommit


def _quoted(*names: str) -> str:
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)
