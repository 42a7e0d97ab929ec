"""How the values of a column are distributed: what a plot needs of a mart, and no more."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg2
from flask import Blueprint, Response, jsonify, request
from pgrest_query import Query, QueryError, parse, quoted

from api import database, parameters
from api.marts.published import described_error, figures, find
from api.marts.sending import again
from elute.database.builds import Column
from elute.database.sessions import Session

blueprint = Blueprint("histogram", __name__)
MOST_BINS = 200
_BINS = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


@blueprint.get("/marts/<name>/histogram")
def histogram(name: str) -> Response:
    """Count the rows of a mart by the value of a numeric column, `?column=`, in about `bins` steps.

    Every other parameter is a filter, as for /marts/<name>.
    """
    wanted = request.args.get("column", "")
    bins = parameters.whole_number("bins", 1, MOST_BINS) or 20
    selected = quote(quoted(wanted))
    others = parameters.query_without("column", "bins", "select")

    def read(session: Session) -> Response:
        _, mart = find(session, name)
        mart.table.column(wanted)
        column = mart.by_name[wanted]
        if not column.is_number:
            raise QueryError(f"{wanted} is of type {column.data_type}; histograms are of numbers.")
        query = parse(mart.table, f"select={selected}&{others}")
        rows = _rows(session, query, column, bins)
        return jsonify(column=wanted, **_body(rows, column.is_whole))

    return again(lambda: database.current().reader.read(read))


def _rows(session: Session, query: Query, column: Column, bins: int) -> list[tuple[Any, ...]]:
    rows, values = query.rows(ordered=False)
    statement = _BINS.format(
        column=f"_rows.{query.identifiers[0]}",
        rows=rows,
        bins=bins,
        smallest=0 if column.is_whole else -300,
    )
    try:
        return figures(session, statement, values)
    except psycopg2.Error as error:
        raise described_error(query, error) from error


def _body(rows: list[tuple[Any, ...]], is_whole: bool) -> dict[str, Any]:
    """The bins without a gap between the first and the last; one without an end has the tail."""
    [step, without, tail, first, _] = rows[0]
    body = {"step": _plain(step), "is_whole": is_whole, "without": without}
    if first is None:
        return {**body, "bins": []}
    counts = {int(bin_): count for *_, bin_, count in rows}
    bins = [
        {
            "from": _plain(bin_ * step),
            "to": None if bin_ == tail else _plain((bin_ + 1) * step),
            "count": counts.get(bin_, 0),
        }
        for bin_ in range(min(counts), max(counts) + 1)
    ]
    return {**body, "bins": bins}


def _plain(value: Any) -> float | int | None:
    """A number as JSON has it: whole ones without a point."""
    if value is None:
        return None
    return int(value) if value == int(value) else float(value)
