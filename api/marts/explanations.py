"""Where a user's numbers come from: the experiments, the compounds, and what was left out."""

from functools import lru_cache
from pathlib import Path

from psycopg2 import sql

from api.problems import Problem, unavailable
from elute.database.builds import Build
from elute.database.sessions import Session

MOST_RECORDS = 10_000  # experiments, and issues, that are listed
EMPTIED = (
    "A crash of the server has emptied the tables of experiments of this build. Until the next "
    "build has succeeded, what is listed here does not add up to what is published."
)
MEAN_RULE = (
    "The sum of the run times that are known, divided by their number; exact, rounded half up to "
    "4 decimals."
)
TIE_RULE = (
    "The compound that occurs in most of the user's experiments; the lowest id if several tie. "
    "One named twice in an experiment counts once."
)


def explain(session: Session, build: Build, user_id: int) -> str | None:
    """The record of a user with all that it was made of, as JSON; None if there is no such user.

    Raises:
        Problem: 503, the build was made by an older Elute, and has no tables to explain it with.
        psycopg2.errors.UndefinedTable: the build was pruned.
    """
    values = {
        "user_id": user_id,
        "most": MOST_RECORDS,
        "note": EMPTIED,
        "mean_rule": MEAN_RULE,
        "tie_rule": TIE_RULE,
    }
    tables = {name: sql.Identifier(*table) for name, table in build.tables.items()}
    try:
        statement = sql.SQL(_statement()).format(**tables)
    except KeyError as error:
        raise _no_tables() from error
    with session.cursor() as cursor:
        cursor.execute(statement, values)
        row = cursor.fetchone()
    return row[0] if row else None


def _no_tables() -> Problem:
    return unavailable(
        "Nothing to explain it with",
        "This build keeps no tables of its experiments. Build again with POST /trigger-etl, then "
        "ask again.",
    )


@lru_cache
def _statement() -> str:
    return Path(__file__).with_name("explain.sql").read_text(encoding="utf-8")
