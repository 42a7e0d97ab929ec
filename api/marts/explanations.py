"""Where the numbers of a user or a compound come from, and what was left out."""

from functools import lru_cache
from pathlib import Path

from psycopg2 import sql
from seed_csv import WHITE_SPACE

from api.problems import Problem
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


def explain(session: Session, build: Build, kind: str, key: int) -> str | None:
    """The row of a "user" or "compound" with all that it was made of, as JSON; None without one.

    Raises:
        Problem: 503, the build was made by an older Elute, and has no tables to explain it with.
        psycopg2.errors.UndefinedTable: the build was pruned.
    """
    sign = "-" if key < 0 else r"\+?" if key else "[+-]?"
    blanks = f"[{WHITE_SPACE}]*"
    # A field, or an entry of a list.
    named = rf"(^|;){blanks}{sign}0*{abs(key)}(\.0+)?{blanks}(;|$)"
    rules = {"mean_rule": MEAN_RULE, "tie_rule": TIE_RULE}
    values = {"id": key, "named": named, "most": MOST_RECORDS, "note": EMPTIED, **rules}
    tables = {name: sql.Identifier(*table) for name, table in build.tables.items()}
    try:
        statement = sql.SQL(_text(f"explain_{kind}.sql") + _text("explained.sql")).format(**tables)
    except KeyError as error:
        raise _no_tables(build) from error
    with session.cursor() as cursor:
        cursor.execute(statement, values)
        row = cursor.fetchone()
    return row[0] if row else None


def _no_tables(build: Build) -> Problem:
    earlier = build.noted.get("returns_to")
    if earlier is None:
        detail = (
            "What is published keeps no tables of its experiments: it was made by an older Elute. "
            "Build again with POST /trigger-etl?force=1, then ask again."
        )
    else:
        detail = (
            f"What is published is build {earlier} again, whose tables of experiments are no "
            f"longer kept. POST /builds/{earlier}/rebuild makes it again from its files, with them."
        )
    path = "/runs?force=1" if earlier is None else f"/builds/{earlier}/rebuild"
    # Nothing to try again for by itself, so not as `unavailable` has it.
    return Problem(503, "Nothing to explain it with", detail, rebuild=path)


@lru_cache
def _text(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
