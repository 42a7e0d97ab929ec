"""Publishing a build: one transaction registers it and points every view at its tables."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from psycopg2 import errors, sql
from psycopg2.extensions import connection as PostgresSession  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from psycopg2.extras import Json

from immutable_builds.queries import QUERIES
from immutable_builds.views import (
    InTheWayError,
    Name,
    adopt_grants_and_comments,
    drop_view,
    point_view,
    shows,
)
from immutable_builds.waiting import STAYS, PublishingError, Waiting, transaction

_MOST_BYTES = 63  # of a name in PostgreSQL
_LOCK_TIMEOUT = "100ms"  # Others queue behind a lock that is waited for.
_RECONNECT_SECONDS = 5.0

_SETTINGS = f"""
set local lock_timeout = '{_LOCK_TIMEOUT}';
-- What was reported as published is still so after a crash of the server.
set local synchronous_commit = on;
-- Definitions of views then name all schemas.
set local search_path = '';
"""
_LATEST = sql.SQL("select build, files, tables from {} order by build desc limit 1")

logger = logging.getLogger(__name__)


class Lock(Protocol):
    """What keeps other runs off."""

    @property
    def lost(self) -> str:
        """What to say when it is not held any more."""

    def is_held(self, cursor: Cursor) -> bool:
        """Whether it still is."""


@dataclass(frozen=True)
class Build:
    """What is to be published.

    Attributes:
        schema: of its tables, and of `publications`.
        marts: of the project, by name: `view_schema`, `table` (None if it was not built this time)
            and whatever else is to be noted.
        built_on: the number of the newest build when this one began, for one of a part.
        lock: the run lock, which has to be held still, if any.
        returns_to: the number of an earlier build that it is, or was made again from the files of.
        requested_by: who has asked for that.
        reason: and why.
        seeds: the files whose tables (see `note_loaded`) its own are made from.
        is_part: whether some of what is in between was not made anew.
    """

    schema: str
    invocation_id: str
    marts: Mapping[str, Mapping[str, Any]]
    files: Mapping[str, str]
    options: Mapping[str, Any]
    project_version: str | None
    versions: Mapping[str, Any]
    run_id: int | None
    lock: Lock | None
    built_on: int | None = None
    returns_to: int | None = None
    requested_by: str | None = None
    reason: str | None = None
    seeds: Sequence[str] = ()
    is_part: bool = False

    @property
    def views(self) -> list[str]:
        """The quoted names of the views of its marts."""
        return [_quoted(mart["view_schema"], name) for name, mart in self.marts.items()]


def table_name(mart: str, invocation_id: str) -> str:
    """The name of a mart's table in a build: at most 63 bytes, and another one for another mart."""
    suffix = "__" + invocation_id.replace("-", "")
    room = _MOST_BYTES - len(suffix.encode())
    if len(mart.encode()) > room:
        digest = sha256(mart.encode()).hexdigest()[:6]
        start = mart.encode()[: room - len(digest) - 1].decode(errors="ignore")
        mart = f"{start}_{digest}"
    return mart + suffix


def prepare(cursor: Cursor, schema: str) -> int | None:
    """Make the schema of builds and its table `publications`, or bring that up to date.

    Returns:
        the number of the newest build.
    """
    loaded_files = sql.Identifier(schema, "loaded_files")
    cursor.execute(QUERIES["persistence"], [_quoted(schema, "loaded_files")])
    persistence = cursor.fetchone()
    if persistence == ("p",):
        cursor.execute(sql.SQL("alter table {} set unlogged").format(loaded_files))
    elif persistence is None:
        text = Path(__file__).with_name("builds.sql").read_text(encoding="utf-8")
        cursor.execute(sql.SQL(text).format(schema=sql.Identifier(schema)))
    cursor.execute(_LATEST.format(sql.Identifier(schema, "publications")))
    newest = cursor.fetchone()
    return newest[0] if newest else None


def publish(
    session: PostgresSession,
    build: Build,
    seconds: float,
    say: Callable[[str], object],
    also: Callable[[int], object] = lambda _: None,
) -> int:
    """Publish a build, and return its number; that of the newest, if this returns to what it shows.

    Args:
        session: not in a transaction.
        build: what to publish.
        seconds: how long to try again while somebody else holds a view.
        say: told for whom it waits, which views are dropped, and what it replaces, if that was a
            return.
        also: called with the number of a new one, to do something in the same transaction.

    Raises:
        PublishingError: it cannot be.
        psycopg2.Error: something went wrong; nothing is published, unless the session was lost.
    """
    waiting = None
    while (done := _attempt(session, build, also)) is None:
        publications = _quoted(build.schema, "publications")
        waiting = waiting or Waiting(_changed_views(session, build), publications, seconds, say)
        waiting.wait(session)
    number, dropped = done
    for sentence in dropped:
        say(sentence)
    _say_what_it_replaces(session, build, number, say)
    return number


def _changed_views(session: PostgresSession, build: Build) -> list[str]:
    """All views that an attempt locks: those of the build, and those that it may have no more."""
    with transaction(session) as cursor:
        cursor.execute(_LATEST.format(sql.Identifier(build.schema, "publications")))
        _, _, tables = cursor.fetchone() or (None, {}, {})
    before = [_quoted(entry["view_schema"], name) for name, entry in tables.items()]
    return [*build.views, *before]


def _say_what_it_replaces(
    session: PostgresSession, build: Build, number: int, say: Callable[[str], object]
) -> None:
    """Say so if the build before was a return, which somebody has wanted."""
    with transaction(session) as cursor:
        publications = sql.Identifier(build.schema, "publications")
        query = sql.SQL(QUERIES["build_before"]).format(publications=publications)
        cursor.execute(query, [build.invocation_id])
        before = cursor.fetchone()
    if before and before[1] is not None:
        replaced, returns_to, *more = before
        by, why = (text or "unknown" for text in more)
        say(
            f"Build {number} replaces build {replaced}, a return to build {returns_to} "
            f"(asked for by: {by}; reason: {why})."
        )


def _attempt(
    session: PostgresSession, build: Build, also: Callable[[int], object]
) -> tuple[int, list[str]] | None:
    """As `_publish`; None if somebody holds what has to be changed."""
    try:
        with transaction(session) as cursor:
            return _publish(cursor, build, also)
    except errors.LockNotAvailable:
        return None
    except InTheWayError as error:
        raise PublishingError(f"{error} {STAYS}") from error


def number_of(session: PostgresSession, schema: str, invocation_id: str) -> int | None:
    """The number of the build that this invocation published; None if it published none."""
    publications = sql.Identifier(schema, "publications")
    with transaction(session) as cursor:
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
    """Drop the tables that are not of the newest `keep` builds; one that is in use stays for now.

    Args:
        session: not in a transaction.
        schema: of the tables of builds.
        keep: how many builds keep their tables.
    """
    _drop(session, schema, "unneeded", {"keep": keep})


def drop_unpublished(
    session: PostgresSession, schema: str, invocation_id: str | None = None
) -> None:
    """Drop the tables that were made for a build and that none has; one in use stays for now.

    Args:
        session: not in a transaction.
        schema: of the tables of builds.
        invocation_id: of the build that they were made for; of any if None.
    """
    suffix = invocation_id.replace("-", "") if invocation_id else "[0-9a-f]{32}"
    _drop(session, schema, "unpublished", {"suffix": suffix})


def _drop(session: PostgresSession, schema: str, query: str, values: Mapping[str, object]) -> None:
    publications = sql.Identifier(schema, "publications")
    with transaction(session) as cursor:
        cursor.execute("select to_regclass(%s)", [publications.as_string(session)])
        if cursor.fetchone() == (None,):
            return
        cursor.execute(
            sql.SQL(QUERIES[query]).format(publications=publications),
            {"schema": sql.Identifier(schema).as_string(session), **values},
        )
        unneeded = cursor.fetchall()
    for name, kind in unneeded:
        table = sql.Identifier(schema, name)
        try:
            with transaction(session) as cursor:
                lock = sql.SQL("lock table {} in access exclusive mode nowait").format(table)
                cursor.execute(lock)
                cursor.execute(sql.SQL("drop {} {}").format(sql.SQL(kind), table))
        except (
            errors.LockNotAvailable,
            errors.DependentObjectsStillExist,
            errors.InsufficientPrivilege,
            errors.UndefinedTable,
        ) as error:
            logger.debug(f"{name} stays for now: {error}")


def files_of_builds(session: PostgresSession, schema: str) -> list[str]:
    """The SHA-256 of each file that a build was made from, those of the newest first."""
    publications = sql.Identifier(schema, "publications")
    with transaction(session) as cursor:
        cursor.execute(sql.SQL(QUERIES["files"]).format(publications))
        return [digest for (digest,) in cursor.fetchall()]


def _publish(cursor: Cursor, build: Build, also: Callable[[int], object]) -> tuple[int, list[str]]:
    """The number of the build, and of each view that is dropped why."""
    cursor.execute(_SETTINGS)
    if build.lock is not None and not build.lock.is_held(cursor):
        raise PublishingError(build.lock.lost)
    publications = sql.Identifier(build.schema, "publications")
    # One publication at a time, whoever else reads.
    cursor.execute(sql.SQL("lock table {} in share row exclusive mode").format(publications))
    cursor.execute(_LATEST.format(publications))
    newest, files, tables = cursor.fetchone() or (None, {}, {})
    published = _tables(build, tables)
    if build.returns_to is not None and published == tables:
        return int(newest), []
    cursor.execute(QUERIES["locks"], [build.views])
    [[locks]] = cursor.fetchall()
    if locks:
        cursor.execute(locks)
    if newest != build.built_on and any(mart["table"] is None for mart in build.marts.values()):
        raise PublishingError(
            f"Build {newest} was published while this part was built on the one before. This part "
            f"stays unpublished. {STAYS} Build it again."
        )
    loaded = _loaded(cursor, build, files)
    if build.returns_to is not None or (not build.is_part and (loaded or build.files)):
        files = {}  # Those of the build before are of seeds that are gone.
    # In one order, and all of them: who reads one mart then reads one build until the transaction
    # ends, for nothing is published while any of the views is held.
    for name, entry in sorted(published.items()):
        point_view(cursor, (entry["view_schema"], name), (entry["schema"], entry["table"]))
    dropped = []
    for view, (table, why) in _gone(build, tables, published).items():
        if shows(cursor, view, table):
            drop_view(cursor, view, f"has to go, for {why}")
            dropped.append(f"{'.'.join(view)} is dropped: {why}.")
    adopt_grants_and_comments(
        cursor,
        [_quoted(entry["view_schema"], name) for name, entry in published.items()],
        [_quoted(entry["schema"], entry["table"]) for entry in published.values()],
    )
    cursor.execute(
        sql.SQL(QUERIES["register"]).format(publications),
        [
            build.invocation_id,
            build.run_id,
            build.project_version,
            Json(dict(build.options)),
            Json({**files, **loaded, **build.files}),
            Json(published),
            Json(dict(build.versions)),
            build.returns_to,
            build.requested_by,
            build.reason,
        ],
    )
    [[number]] = cursor.fetchall()
    also(number)
    return int(number), dropped


def note_loaded(cursor: Cursor, schema: str, file: str, sha256: str) -> None:
    """Note which file the table of a seed holds, in the transaction that loads it."""
    query = sql.SQL(QUERIES["note_loaded"]).format(sql.Identifier(schema, "loaded_files"))
    cursor.execute(query, [file, sha256])


def _loaded(cursor: Cursor, build: Build, before: Mapping[str, str]) -> dict[str, str]:
    """The files that it has read and not loaded itself.

    Raises:
        PublishingError: which these are cannot be told, or they are none.
    """
    seeds = list(build.seeds)
    if not seeds:
        return {}
    names = {"loaded_files": sql.Identifier(build.schema, "loaded_files")}
    cursor.execute(sql.SQL(QUERIES["loaded"]).format(**names), [seeds])
    loaded = {file: (sha256, is_published) for file, sha256, is_published in cursor.fetchall()}
    others = {
        file: loaded.get(file, ("", False))  # A crash of the server has emptied both tables.
        for file in seeds
        if file not in build.files and (file in loaded or file in before)
    }
    unsure = [
        file
        for file, (sha256, is_published) in others.items()
        if not sha256
        or (build.is_part and file in before and not (is_published and before[file] == sha256))
    ]
    if unsure:
        raise PublishingError(
            f"The table of {' and that of '.join(sorted(unsure))} holds, or has held, something "
            "else than the published build was made from, or a crash of the server has emptied it; "
            f"this build may be made from that. {STAYS} Run dbt build, of everything."
        )
    if not build.is_part:
        cursor.execute(sql.SQL(QUERIES["note_published"]).format(**names), [seeds])
    return {file: sha256 for file, (sha256, _) in others.items()}


def _gone(
    build: Build, before: Mapping[str, Any], published: Mapping[str, Any]
) -> dict[Name, tuple[Name, str]]:
    """The views of the build before that have no mart any more: what they showed, and why."""
    found = {}
    for name, entry in sorted(before.items()):
        view_schema = published.get(name, {}).get("view_schema")
        if view_schema is None and build.returns_to is not None:
            why = f"build {build.returns_to} has none"
        elif view_schema is None:
            why = "it is no longer in the project"
        else:
            why = f"it is in the schema {view_schema} now"
        if view_schema != entry["view_schema"]:
            found[entry["view_schema"], name] = (entry["schema"], entry["table"]), why
    return found


def _tables(build: Build, before: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What each mart shows: its new table, or the one that it has shown before."""
    published = {}
    for name, mart in build.marts.items():
        if mart["table"] is not None:
            published[name] = {"schema": build.schema, **mart}
        elif name in before:
            published[name] = dict(before[name])
    return published


def _quoted(*names: str) -> str:
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)
