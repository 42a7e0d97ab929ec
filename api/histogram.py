"""How the values of a column are distributed: what a plot needs of a mart, and no more."""

from typing import Any
from urllib.parse import urlencode

import psycopg2
from flask import Blueprint, Response, jsonify, request
from pgrest_query import Query, QueryError, parse

from api import database
from api.marts.published import described_error, find
from elute.database.builds import Column
from elute.database.sessions import Session

blueprint = Blueprint("histogram", __name__)
MOST_BINS = 200
_WHOLE = frozenset({"smallint", "integer", "bigint"})
# Equal values are counted first: the rest is then of few. Steps of 1, 2 or 5 times a power of ten;
# those of whole numbers are whole. Where few values would stretch the range (the largest hundredth
# to three times its width or more), they share a last bin.
_BINS = """
with _values as (
    select
        {column}::numeric as value,
        count(*) as count
    from ({rows}) as _rows
    group by {column}
),

_limits as (
    select
        min(value) as least,
        max(value) as most,
        coalesce(sum(count) filter (where value is null), 0)::bigint as without
    from _values
),

_above as (
    select
        _values.value,
        sum(_values.count) over (order by _values.value) as up_to_it,
        sum(_values.count) over () as total
    from _values
    cross join _limits
    where _values.value > _limits.least
),

_common as (
    select min(value) as most
    from _above
    where up_to_it >= 0.99 * total
),

_ranges as (
    select
        _limits.*,
        case
            when _limits.most - _limits.least >= 3 * (_common.most - _limits.least)
                then _common.most
            else _limits.most
        end as last
    from _limits
    cross join _common
),

_steps as (
    select min(factors.factor * 10::numeric ^ powers.power) as step
    from _ranges
    cross join (values (1), (2), (5)) as factors (factor)
    cross join generate_series({smallest}, 308) as powers (power)
    where
        factors.factor * 10::numeric ^ powers.power * {bins}
        > coalesce(nullif(_ranges.last - _ranges.least, 0), {bins} / 2.0)
),

_counts as (
    select
        least(floor(_values.value / _steps.step), floor(_ranges.last / _steps.step) + 1) as bin,
        sum(_values.count)::bigint as count
    from _values
    cross join _steps
    cross join _ranges
    where _values.value is not null
    group by 1
)

select
    _steps.step,
    _ranges.without,
    case when _ranges.last < _ranges.most then floor(_ranges.last / _steps.step) + 1 end as tail,
    _counts.bin,
    _counts.count
from _ranges
cross join _steps
left join _counts on true
order by _counts.bin
"""


@blueprint.get("/marts/<name>/histogram")
def histogram(name: str) -> Response:
    """Count the rows of a mart by the value of a numeric column, `?column=`, in about `bins` steps.

    Every other parameter is a filter, as for /marts/<name>.
    """
    parameters = request.args.to_dict(flat=False)
    wanted = parameters.pop("column", [""])[0]
    bins = _number_of_bins(parameters.pop("bins", ["20"])[0])
    _, mart = database.current().reader.read(lambda session: find(session, name))
    mart.table.column(wanted)
    column = mart.by_name[wanted]
    if not column.is_number:
        raise QueryError(f"{wanted} is of type {column.data_type}; histograms are of numbers.")
    query = parse(mart.table, urlencode({**parameters, "select": f'"{wanted}"'}, doseq=True))
    rows = _rows(query, column, bins)
    return jsonify(column=wanted, **_body(rows, column.data_type in _WHOLE))


def _number_of_bins(text: str) -> int:
    if text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= MOST_BINS:
        return int(text)
    raise QueryError(f"bins must be a whole number from 1 to {MOST_BINS}, and is {text!r}.")


def _rows(query: Query, column: Column, bins: int) -> list[tuple[Any, ...]]:
    rows, values = query.rows(ordered=False)
    statement = _BINS.format(
        column=f"_rows.{query.identifiers[0]}",
        rows=rows,
        bins=bins,
        smallest=0 if column.data_type in _WHOLE else -300,
    )

    def read(session: Session) -> list[tuple[Any, ...]]:
        with session.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall()

    try:
        return database.current().reader.read(read)
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
