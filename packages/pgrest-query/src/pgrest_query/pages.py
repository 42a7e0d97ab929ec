"""Which rows: `limit=`, `offset=` and the header Range."""

import re
from collections.abc import Mapping

from pgrest_query.errors import QueryError

_LARGEST = 2**63 - 1
_RANGE = re.compile(r"(?:items=)?([0-9]+)-([0-9]*)")
_NUMBER = re.compile(r"\s*(-?)([0-9]+)\s*")


def page(parameters: Mapping[str, str], range_header: str) -> tuple[int | None, int]:
    """The most rows that are asked for, None for all, and how many come before them.

    Raises:
        QueryError: 400, they are no numbers; 416, there can be no such rows.
    """
    limit, offset = _number(parameters, "limit"), _number(parameters, "offset") or 0
    if limit is not None and limit < 0:
        raise out_of_range("Limit should be greater than or equal to zero.")
    first, last = _range(range_header)
    if limit == 0:
        return 0, 0
    offset = max(0, offset)
    stop = _LARGEST if limit is None else offset + limit
    stop, start = min(stop, last + 1), max(offset, first)
    if stop <= start:
        raise out_of_range(
            f"None of the rows {offset} to {stop - 1} that limit and offset name "
            f"is among those from {first} that the header Range names."
        )
    return (None if stop >= _LARGEST else stop - start), start


def _number(parameters: Mapping[str, str], name: str) -> int | None:
    text = parameters.get(name, "")
    if not text.strip():
        return None
    match = _NUMBER.fullmatch(text)
    if match is None or len(match[2]) > 19 or int(match[2]) > _LARGEST:
        raise QueryError(f"{name} must be a whole number from 0, and is {text[:30]!r}.")
    return int(f"{match[1]}{match[2]}")


def _range(text: str) -> tuple[int, int]:
    """The first and the last row that the header names; a range in bytes is not for us."""
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        return 0, _LARGEST
    first, last = _bounded(match[1]), _bounded(match[2]) if match[2] else _LARGEST
    if last < first:
        raise out_of_range(
            "The lower boundary must be lower than or equal to the upper boundary "
            "in the Range header."
        )
    return first, last


def out_of_range(details: str, headers: Mapping[str, str] | None = None) -> QueryError:
    """The error for rows that no table could have."""
    return QueryError(
        "Requested range not satisfiable", "PGRST103", 416, details=details, headers=headers or {}
    )


def _bounded(digits: str) -> int:
    return int(digits) if len(digits) < 19 else _LARGEST
