"""The published build for requests, and what to say of what it does not have."""

from collections.abc import Mapping

import psycopg2
from pgrest_query import Query
from psycopg2 import errors

from api import database
from api.problems import Problem, unavailable
from elute.database.builds import Build, Mart
from elute.database.sessions import Session
from elute.errors import EluteError

# SQLSTATEs of what is wrong with a query, or with a value in it, or is more than PostgreSQL can do.
_REFUSED = ("0A", "21", "22", "42", "54")


def newest(session: Session) -> Build | None:
    """The build that is published at this moment; None before the first."""
    return database.current().catalogue.newest(session)


def published_marts() -> Mapping[str, Mart]:
    """The marts of that build, by name; none without a build, or a database."""
    try:
        build = database.current().reader.read(newest)
    except (EluteError, psycopg2.Error):
        return {}
    return build.marts if build else {}


def find(session: Session, name: str) -> tuple[Build, Mart]:
    """The published build, and its mart of this name.

    Raises:
        Problem: 503 nothing has been built yet, 404 there is no such mart.
    """
    build = newest(session)
    if build is None:
        detail = (
            "Nothing has been built yet. Build with POST /trigger-etl, "
            "or see what became of the last build at GET /runs."
        )
        raise unavailable(
            "Not built yet",
            detail,
            code="PGRST205",
            message=detail,
            details=None,
            hint=None,
        )
    if name not in build.marts:
        detail = f"There is no mart {name!r}; there are {', '.join(sorted(build.marts))}."
        raise Problem(
            404, "No such mart", detail, code="PGRST205", message=detail, details=None, hint=None
        )
    return build, build.marts[name]


def described_error(query: Query, error: psycopg2.Error) -> Exception:
    """What a refusal of the database means to the one who asked; itself if it is not about that."""
    if isinstance(error, errors.QueryCanceled):
        return Problem(
            503,
            "Took too long",
            "The query took longer than it may. Ask for less: fewer conditions, or equality in the "
            "place of a pattern.",
        )
    if error.pgcode and error.pgcode.startswith(_REFUSED):
        return query.refused(error.diag.message_primary or str(error), error.pgcode)
    return error
