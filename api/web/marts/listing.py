"""The marts as `/marts` lists them."""

from typing import Any

from api.database import Session
from api.web.marts.catalogue import SCHEMA, Mart

_PUBLISHED = """
select pg_class.relname, (select max(published_at) from builds.publications) as published_at
from pg_class
where pg_class.relnamespace = to_regnamespace(%s) and pg_class.relkind in ('r', 'v', 'm')
"""


def published(session: Session) -> dict[str, dict[str, Any]]:
    """The marts that are there, and when each was published if that is known."""
    with session.cursor() as cursor:
        cursor.execute(_PUBLISHED, [SCHEMA])
        return {
            name: {
                "is_built": True,
                "published_at": None if moment is None else moment.isoformat(),
            }
            for name, moment in cursor.fetchall()
        }


def described(mart: Mart, state: dict[str, Any] | None) -> dict[str, Any]:
    """What a mart is, where it is, and whether there is anything in it yet."""
    return {
        "name": mart.name,
        "description": mart.description,
        "path": f"/marts/{mart.name}",
        **(state or {"is_built": False, "published_at": None}),
        "key": list(mart.key),
        "columns": [
            {
                "name": column.name,
                "data_type": column.data_type,
                "description": column.description,
                "nullable": column.nullable,
            }
            for column in mart.columns
        ],
    }
