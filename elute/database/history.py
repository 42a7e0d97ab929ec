"""The builds that were published: when each was, from what, and whether its tables are kept."""

from datetime import datetime
from typing import Any

from psycopg2 import errors
from psycopg2.extras import RealDictCursor

from elute.database.sessions import Session

_PUBLICATIONS = """
select
    publications.build,
    publications.run_id,
    publications.published_at,
    publications.project_version,
    publications.options,
    publications.files,
    publications.versions,
    publications.returns_to,
    publications.requested_by,
    publications.reason,
    served.marts,
    served.is_kept
from builds.publications
cross join lateral (
    select
        coalesce(array_agg(entry.key order by entry.key), '{}') as marts,
        coalesce(bool_and(
            to_regclass(format('%%I.%%I', entry.value ->> 'schema', entry.value ->> 'table'))
            is not null
        ), true) as is_kept
    from jsonb_each(publications.tables) as entry
    where entry.value #>> '{meta,served}' is distinct from 'false'
) as served
"""
_PAGE = f"""
{_PUBLICATIONS}
where build < %(before)s or %(before)s is null
order by build desc
limit %(limit)s
"""
_ONE = f"{_PUBLICATIONS} where build = %(build)s"
_AT = """
select build from builds.publications where published_at <= %(moment)s order by build desc limit 1
"""
_FIRST = "select published_at from builds.publications order by build limit 1"


def page(session: Session, limit: int, before: int | None = None) -> list[dict[str, Any]]:
    """The newest builds, or those before `before`, the newest first.

    Each has `build`, `run_id`, `published_at`, `project_version`, `options`, `files` (SHA-256 by
    name), `versions` of what built it, `returns_to`, `requested_by` and `reason` of a return or a
    rebuild, `marts` (the names of those that are served), and `is_kept`, whether their tables are.
    """
    return _rows(session, _PAGE, before=before, limit=limit)


def one(session: Session, build: int) -> dict[str, Any] | None:
    """One build, as `page` has it; None if there never was one of that number."""
    return next(iter(_rows(session, _ONE, build=build)), None)


def kept(session: Session, most: int) -> list[int]:
    """Those of the newest `most` builds whose tables are kept, the oldest first."""
    return [row["build"] for row in reversed(page(session, most)) if row["is_kept"]]


def at(session: Session, moment: datetime) -> int | None:
    """The build that was published at a moment, which has a time zone; None before the first."""
    return next((row["build"] for row in _rows(session, _AT, moment=moment)), None)


def first_published_at(session: Session) -> datetime | None:
    """When the first build was published."""
    return next((row["published_at"] for row in _rows(session, _FIRST)), None)


def _rows(session: Session, query: str, **values: Any) -> list[dict[str, Any]]:
    with session.cursor(cursor_factory=RealDictCursor) as cursor:
        try:
            cursor.execute(query, values)
        except errors.UndefinedTable:  # Nothing was ever built.
            return []
        return [dict(row) for row in cursor.fetchall()]
