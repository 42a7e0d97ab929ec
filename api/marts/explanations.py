"""Where a user's numbers come from: the experiments, the compounds, and what was left out."""

from functools import lru_cache
from pathlib import Path

from psycopg2 import errors

from api import database
from api.problems import Problem, unavailable
from elute.database.sessions import Session

MOST_RECORDS = 10_000  # experiments, and issues, that are listed
LATER_BUILD = (
    "The tables behind the published numbers are of a later build, which is going on or has "
    "failed, or have been emptied by a crash of the server. Until the next build has succeeded, "
    "what is listed here may not add up to what is published."
)
MEAN_RULE = (
    "The sum of the run times that are known, divided by their number; exact, rounded half up to "
    "4 decimals."
)
TIE_RULE = (
    "The compound that occurs in most of the user's experiments; the lowest id if several tie. "
    "One named twice in an experiment counts once."
)


def explain(user_id: int) -> str | None:
    """The record of a user with all that it was made of, as JSON; None if there is no such user.

    Raises:
        Problem: 503, it cannot be explained at the moment.
        ServerError: there is no database.
    """
    values = {
        "user_id": user_id,
        "most": MOST_RECORDS,
        "note": LATER_BUILD,
        "mean_rule": MEAN_RULE,
        "tie_rule": TIE_RULE,
    }

    def fetch(session: Session) -> str | None:
        with session.cursor() as cursor:
            cursor.execute(_statement(), values)
            row = cursor.fetchone()
        return row[0] if row else None

    try:
        return database.current().reader.read(fetch)
    except errors.UndefinedTable as error:
        raise _no_tables() from error


def _no_tables() -> Problem:
    return unavailable(
        "Nothing to explain it with",
        "The tables behind the published numbers are not there. "
        "Build again with POST /trigger-etl, then ask again.",
    )


@lru_cache
def _statement() -> str:
    return Path(__file__).with_name("explain.sql").read_text(encoding="utf-8")
