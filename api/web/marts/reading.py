"""Reading from marts while builds replace them, and what to say when it cannot be done."""

from collections.abc import Callable
from typing import TypeVar

import psycopg2
from pgrest_query import Query, Table
from psycopg2 import errors

from api.database import Session
from api.web import pool
from api.web.problems import RETRY_SECONDS, Problem

Answer = TypeVar("Answer")
# The table was replaced between looking it up and opening it.
_REPLACED = (errors.UndefinedTable, errors.InternalError_)


def read(query: Query, function: Callable[[Session], Answer]) -> Answer:
    """Call `function` with a session that may read; again if a build got in between.

    Raises:
        Problem: there is nothing to read.
        QueryError: the database refuses the query.
        ServerError: there is no database.
    """
    try:
        try:
            return pool.reader().read(function)
        except _REPLACED:
            return pool.reader().read(function)
        except errors.InsufficientPrivilege:
            pool.reset()  # Made by another user: the upgrade gives the reading role its rights.
            return pool.reader().read(function)
    except psycopg2.Error as error:
        raise explained(query, error) from error


def explained(query: Query, error: psycopg2.Error) -> Exception:
    """What a refusal of the database means to the one who asked; itself if it is not about that."""
    mart, message = query.table, error.diag.message_primary or ""
    if isinstance(error, errors.UndefinedTable):
        return _no_tables() if '"intermediate.' in message else not_built(mart)
    if isinstance(error, errors.UndefinedColumn):
        return outdated(mart)
    if isinstance(error, errors.QueryCanceled):
        return Problem(503, "Took too long", f"The query took longer than {pool.READ_TIMEOUT}.")
    if isinstance(error, (psycopg2.DataError, psycopg2.ProgrammingError)):
        return query.refused(error)
    return error


def not_built(mart: Table) -> Problem:
    """The mart is known, but no build has published it yet."""
    return _come_back(
        "Not built yet",
        f"{mart.name} has not been built yet. Build it with POST /trigger-etl, "
        "or see what became of the last build at GET /runs.",
    )


def _no_tables() -> Problem:
    return _come_back(
        "Nothing to explain it with",
        "The tables behind the published numbers are not there. "
        "Build again with POST /trigger-etl, then ask again.",
    )


def outdated(mart: Table) -> Problem:
    """The mart has not been built since its contract was changed."""
    return _come_back(
        "Not built anew yet",
        f"The contract of {mart.name} has changed since it was built. "
        "Build it again with POST /trigger-etl.",
    )


def _come_back(title: str, detail: str) -> Problem:
    return Problem(
        503,
        title,
        detail,
        headers={"Retry-After": str(RETRY_SECONDS)},
        code="PGRST205",
        message=detail,
        details=None,
        hint=None,
    )
