"""A request as a query: what its parameters and headers ask of a mart."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl

from psycopg2 import sql

from api.web.marts import filters, ranges, selecting
from api.web.marts.catalogue import Mart
from api.web.marts.filters import Condition
from api.web.marts.selecting import Output
from api.web.marts.syntax import bad_query

MOST_PARAMETERS = 200
_LARGEST = 2**63 - 1
_RANGE = re.compile(r"(\d{1,18})-(\d{0,18})")


@dataclass(frozen=True)
class Query:
    """What is asked of a mart; `limit` is None for all rows, and `where` for no condition."""

    mart: Mart
    outputs: list[Output]
    where: Condition | None
    order: list[sql.Composable]
    limit: int | None = None
    offset: int = 0
    wants_count: bool = False

    @property
    def is_grouped(self) -> bool:
        """Whether its rows sum up those of the mart."""
        return selecting.is_grouped(self.outputs)

    def limited(self, limit: int) -> "Query":
        """The same, with at most this many rows."""
        return replace(self, limit=limit if self.limit is None else min(limit, self.limit))

    def filtered(self, name: str, text: str) -> "Query":
        """The same, with another condition."""
        added = filters.condition(self.mart, name, text)
        return replace(self, where=filters.all_of([added, *([self.where] if self.where else [])]))


def parse(mart: Mart, query_string: str, wanted_range: str = "", prefer: str = "") -> Query:
    """Read a query string, and the headers Range and Prefer.

    Raises:
        Problem: 400; it says what is wrong and what would be right.
    """
    parameters, conditions = _parameters(mart, query_string)
    outputs = selecting.outputs(mart, parameters.get("select", ""))
    limit, offset = _number(parameters, "limit"), _number(parameters, "offset") or 0
    start, end = _range(wanted_range)
    stop = None if limit is None else offset + limit
    if end is not None:
        stop = end + 1 if stop is None else min(stop, end + 1)
    offset = max(offset, start)
    return Query(
        mart,
        outputs,
        filters.all_of(conditions),
        selecting.ordering(mart, outputs, parameters.get("order", "")),
        None if stop is None else max(0, stop - offset),
        offset,
        _wants_count(prefer),
    )


def _parameters(mart: Mart, query_string: str) -> tuple[dict[str, str], list[Condition]]:
    """The parameters that are no filters, and the conditions that the others are."""
    if not query_string:
        return {}, []
    try:
        pairs = parse_qsl(query_string, keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
    except ValueError as error:
        raise bad_query(f"There are more than {MOST_PARAMETERS} parameters.") from error
    parameters, conditions = {}, []
    for name, text in pairs:
        if name in ("select", "order", "limit", "offset"):
            parameters[name] = text
        else:
            conditions.append(filters.condition(mart, name, text))
    return parameters, conditions


def _number(parameters: Mapping[str, str], name: str) -> int | None:
    text = parameters.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and int(text) <= _LARGEST):
        raise bad_query(f"{name} must be a whole number from 0, and is {text!r}.")
    return int(text)


def _range(text: str) -> tuple[int, int | None]:
    """The first and the last row that the header Range asks for; in bytes, it is not for us."""
    found = _RANGE.fullmatch(text.removeprefix("items="))
    if found is None:
        return 0, None
    start, end = int(found[1]), int(found[2]) if found[2] else None
    if end is not None and end < start:
        raise ranges.not_satisfiable(f"The range {start}-{end} ends before it begins.")
    return start, end


def _wants_count(prefer: str) -> bool:
    """Whether the rows are to be counted; an estimate that is asked for is exact here."""
    words = prefer.replace(",", " ").split()
    return any(word in ("count=exact", "count=planned", "count=estimated") for word in words)
