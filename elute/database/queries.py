"""The queries of queries.sql, by name."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from immutable_builds import named_queries
from psycopg2.extras import RealDictCursor

from elute.database.sessions import Session

QUERIES = named_queries(Path(__file__).with_suffix(".sql"))


def execute(
    session: Session, name: str, values: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Run one of the QUERIES; its rows."""
    with session.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(QUERIES[name], values or {})
        return [dict(row) for row in cursor.fetchall()] if cursor.description else []
