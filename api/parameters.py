"""What requests ask for: their parameters, and who asks."""

import math
import re
from contextlib import suppress
from typing import Any

from flask import request

from api import access
from api.problems import Problem

_BROWSER = re.compile(r"\b(Firefox|Edg|OPR|Chrome|Safari)/\d+")
_PRODUCT = re.compile(r"^[\w.-]{1,40}(/[\w.-]{1,20})?", re.ASCII)


def number(name: str, least: float, most: float) -> float | None:
    """A parameter of the query string; None if it is not given.

    Raises:
        Problem: 400, it is no number between those.
    """
    value = request.args.get(name)
    return None if value is None else _number(name, value, least, most)


def whole_number(name: str, least: int, most: int) -> int | None:
    """The same for a parameter that is a whole number."""
    value = request.args.get(name)
    if value is None:
        return None
    if not re.fullmatch(r"\d{1,19}", value, re.ASCII) or not least <= int(value) <= most:
        raise _no_number(name, value, f"a whole number from {least} to {most}")
    return int(value)


def query_without(*names: str) -> str:
    """The query string as it came, but for these parameters."""
    text = request.query_string.decode("utf-8", "surrogateescape")
    starts = tuple(f"{name}=" for name in names)
    return "&".join(part for part in text.split("&") if not part.startswith(starts))


def options() -> dict[str, Any]:
    """What a run is asked to do otherwise: `max_dropped_ratio`, from the body or the query.

    Raises:
        Problem: 400, it is not understood.
    """
    known = {"max_dropped_ratio"}
    given = {**_body(), **{name: request.args[name] for name in known if name in request.args}}
    unknown = given.keys() - known
    if unknown:
        names = ", ".join(sorted(unknown))[:100]
        raise Problem(400, "No such option", f"Not known: {names}. Known: max_dropped_ratio.")
    return {name: _number(name, value, 0, 1) for name, value in given.items()}


def requested_by() -> str:
    """Whose token a request has, the address that it came from, and the program."""
    return ", ".join(filter(None, [access.owner(), asked_from()]))


def asked_from() -> str:
    """The address that a request came from, and the program."""
    agent = request.headers.get("User-Agent", "")
    browser = _BROWSER.search(agent) if agent.startswith("Mozilla/") else None
    product = browser or _PRODUCT.match(agent)
    return ", ".join(filter(None, [request.remote_addr, product and product[0]]))


def _body() -> dict[str, Any]:
    if not request.get_data(cache=True):
        return {}
    # Whatever type it claims to be: curl -d calls everything a form.
    try:
        body = request.get_json(force=True, silent=True)
    except RecursionError:
        body = None
    if not isinstance(body, dict):
        raise Problem(
            400, "No JSON object", 'The body may be empty, or {"max_dropped_ratio": 0.5}.'
        )
    return body


def _number(name: str, value: object, least: float, most: float) -> float:
    found = math.nan
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        with suppress(ValueError, OverflowError):
            found = float(value)
    if not least <= found <= most:
        raise _no_number(name, value, f"a number from {least:g} to {most:g}")
    return found


def _no_number(name: str, value: object, wanted: str) -> Problem:
    return Problem(400, "No such value", f"{name} is {wanted}, not {str(value)[:50]!r}.")
