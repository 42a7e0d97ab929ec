"""The builds that were published: when each was, from what, and whether its tables are kept."""

from datetime import datetime
from typing import Any

from psycopg2 import errors

from elute.database.sessions import Session
from elute.runs import queue


def page(session: Session, limit: int, before: int | None = None) -> list[dict[str, Any]]:
    """The newest builds, or those before `before`, the newest first.

    Each has `build`, `run_id`, `published_at`, `project_version`, `options`, `files` (SHA-256 by
    name), `versions` of what built it, `returns_to`, `requested_by` and `reason` of a return or a
    rebuild, `marts` (the names of those that are served), and `is_kept`, whether their tables are.
    """
    return _rows(session, "builds", before=before, limit=limit, build=None)


def one(session: Session, build: int) -> dict[str, Any] | None:
    """One build, as `page` has it; None if there never was one of that number."""
    return next(iter(_rows(session, "builds", before=None, limit=1, build=build)), None)


def kept(session: Session, most: int) -> list[int]:
    """Those of the newest `most` builds whose tables are kept, the oldest first."""
    return [row["build"] for row in reversed(page(session, most)) if row["is_kept"]]


def at(session: Session, moment: datetime) -> int | None:
    """The build that was published at a moment, which has a time zone; None before the first."""
    return next((row["build"] for row in _rows(session, "build_at", moment=moment)), None)


def first_published_at(session: Session) -> datetime | None:
    """When the first build was published."""
    return next((row["published_at"] for row in _rows(session, "first_build")), None)


def _rows(session: Session, name: str, **values: Any) -> list[dict[str, Any]]:
    try:
        return queue.execute(session, name, values)
    except errors.UndefinedTable:  # Nothing was ever built.
        return []
