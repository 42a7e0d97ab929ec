"""The builds that were published: when each was, from what, and whether its tables are kept."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg2 import errors

from elute.database.queries import execute
from elute.database.sessions import Session


@dataclass(frozen=True)
class Published:
    """A row of `builds.publications`; the comments there say what each column means."""

    build: int
    run_id: int | None
    published_at: datetime
    options: dict[str, Any]
    files: dict[str, str]
    project_version: str | None
    versions: dict[str, Any]


def page(session: Session, limit: int, before: int | None = None) -> list[dict[str, Any]]:
    """The newest builds, or those before `before`, the newest first.

    Each has `build`, `run_id`, `published_at`, `project_version`, `options`, `files` (SHA-256 by
    name), `versions` of what built it, `returns_to`, `requested_by` and `reason` of a return or a
    rebuild, `marts` (the names of those that are served), and `is_kept`, whether their tables are.
    """
    return _rows(session, "builds", before=before, since=None, limit=limit)


def one(session: Session, build: int) -> dict[str, Any] | None:
    """One build, as `page` has it; None if there never was one of that number."""
    return next(iter(_rows(session, "builds", before=build + 1, since=build, limit=1)), None)


def kept(session: Session) -> list[int]:
    """The builds whose tables are kept, the oldest first."""
    since = first_with_tables(session)
    found = _rows(session, "builds", before=None, since=since, limit=None)
    return [row["build"] for row in reversed(found) if row["is_kept"]]


def first_with_tables(session: Session) -> int | None:
    """No build before this one has any tables; None if none has."""
    return next((row["build"] for row in _rows(session, "first_with_tables")), None)


def at(session: Session, moment: datetime) -> int | None:
    """The build that was published at a moment, which has a time zone; None before the first."""
    return next((row["build"] for row in _rows(session, "build_at", moment=moment)), None)


def first_published_at(session: Session) -> datetime | None:
    """When the first build was published."""
    return next((row["published_at"] for row in _rows(session, "first_build")), None)


def published(session: Session) -> Published | None:
    """The published build, if a run made all of it, none is to come, and the last did not fail."""
    rows = execute(session, "published")
    return Published(**rows[0]) if rows else None


def find(session: Session, build: int) -> Published | None:
    """What the build of that number was made from."""
    rows = execute(session, "find_build", {"build": build})
    return Published(**rows[0]) if rows else None


def _rows(session: Session, name: str, **values: Any) -> list[dict[str, Any]]:
    try:
        return execute(session, name, values)
    except errors.UndefinedTable:  # Nothing was ever built.
        return []
