"""The builds for requests, and what to say of what they do not have."""

import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import quote

import psycopg2
from flask import current_app
from pgrest_query import Query
from psycopg2 import errors

from api import database
from api.problems import Problem, postgrest, unavailable
from elute.database import builds, history
from elute.database.builds import Build, Mart
from elute.database.sessions import Session
from elute.errors import EluteError

# SQLSTATEs of what is wrong with a query, or with a value in it, or is more than PostgreSQL can do.
_REFUSED = ("0A", "21", "22", "42", "54")
_NOT_THERE = "PGRST205"  # in PostgREST's list of errors
_MOST_FIGURES = 500  # of 30 builds, each with its marts' totals and histograms
_LOG = logging.getLogger("elute.web")


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
        Problem: 503 nothing has been built yet, or its table is missing, 404 there is no such mart.
    """
    build = newest(session)
    if build is None:
        raise not_built()
    mart = _mart(build, name)
    if not mart.columns:
        raise lost_table()
    return build, mart


def numbered(session: Session, number: int) -> Build:
    """The build of that number.

    Raises:
        Problem: 404, there never was one.
    """
    build = builds.numbered(session, number)
    if build is None:
        raise no_such_build(number)
    return build


def find_in(session: Session, number: int, name: str) -> tuple[Build, Mart]:
    """The build of that number, and its mart of this name.

    Raises:
        Problem: 404 there never was such a build or mart, 410 its table is no longer kept.
    """
    build = numbered(session, number)
    mart = _mart(build, name)
    if not mart.columns:
        raise no_longer_kept(session, number)
    return build, mart


def as_json(build: Build, mart: Mart, marts: str) -> dict[str, Any]:
    """What a mart is, and where its rows are, below the path of the marts."""
    return {
        "name": mart.name,
        "description": mart.description,
        "path": f"{marts}/{quote(mart.name)}",
        "build": build.number,
        "published_at": build.published_at,
        "key": list(mart.table.key),
        "columns": [{**asdict(column), "unit": column.unit or None} for column in mart.columns],
    }


def figures(session: Session, statement: str, values: list[str]) -> list[tuple[Any, ...]]:
    """The few rows of a statement on tables of builds; one on whole tables is carried out once.

    A value may stand for another one tomorrow, as `today` does, so what has any is not kept.
    """
    known = database.current().figures
    rows = known.get(statement)
    if rows is not None:
        return rows
    with session.cursor() as cursor:
        cursor.execute(statement, values)
        rows = cursor.fetchall()
    if not values:
        if len(known) >= _MOST_FIGURES:
            known.clear()
        known[statement] = rows
    return rows


def not_built() -> Problem:
    """Nothing has been built yet."""
    detail = (
        "Nothing has been built yet. Build with POST /trigger-etl, "
        "or see what became of the last build at GET /runs."
    )
    return unavailable("Not built yet", detail, **postgrest(_NOT_THERE, detail))


def lost_table(error: errors.UndefinedTable | None = None) -> Problem:
    """A table of the published build is not there, which no build has dropped."""
    if error:
        _LOG.error("A published table is missing: %s", " ".join(str(error).split()))
    detail = (
        "A table that has been published is not in the database any more: something other than "
        "Elute has dropped or renamed it. Build again with POST /trigger-etl, which makes it anew."
    )
    # Nothing to try again for by itself, so not as `unavailable` has it.
    return Problem(503, "A table of what is published is missing", detail, rebuild="/runs")


def no_such_build(number: int) -> Problem:
    """There never was a build of this number."""
    detail = f"There is no build {number}; /builds lists those there are."
    return Problem(404, "No such build", detail, **postgrest(_NOT_THERE, detail))


def no_longer_kept(session: Session, number: int) -> Problem:
    """The tables of this build are gone."""
    most = current_app.config["SETTINGS"].keep_builds
    kept = history.kept(session)
    detail = (
        f"The tables of build {number} are no longer kept. Those of these builds are: "
        f"{', '.join(map(str, kept))}. ELUTE_KEEP_BUILDS, which is {most}, says of how "
        "many at least."
    )
    return Problem(410, "No longer kept", detail, kept=kept, **postgrest(_NOT_THERE, detail))


def _mart(build: Build, name: str) -> Mart:
    if name not in build.marts:
        detail = f"There is no mart {name!r}; there are {', '.join(sorted(build.marts))}."
        raise Problem(404, "No such mart", detail, **postgrest(_NOT_THERE, detail))
    return build.marts[name]


def described_error(query: Query, error: psycopg2.Error) -> Exception:
    """What a refusal of the database means to the one who asked; itself if it is not about that.

    What a second try may mend (see `sending.again`) is not.
    """
    if isinstance(error, (errors.UndefinedTable, errors.InsufficientPrivilege)):
        return error
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
