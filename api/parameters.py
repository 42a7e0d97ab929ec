"""What requests ask for: their parameters, and who asks."""

import math
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import unquote_plus

from flask import request, url_for

from api import access
from api.connection_pool import Pool
from api.problems import Problem

Entry = TypeVar("Entry")
LARGEST_ID = 2**63 - 1
_MOST, _MOST_UNASKED = 500, 50  # of a list, at once
MOST_REASON = 1000
_OF_THE_REQUEST = ("force", "wait")  # and not of the run that it asks for
_NO_TEXT = re.compile("[\0\ud800-\udfff]")  # for PostgreSQL
_BROWSER = re.compile(r"\b(Firefox|Edg|OPR|Chrome|Safari)/\d+")
_PRODUCT = re.compile(r"^[\w.-]{1,40}(/[\w.-]{1,20})?", re.ASCII)


def number(name: str, value: object, least: float, most: float) -> float:
    """The value of a parameter as a number.

    Raises:
        Problem: 400, it is no number between those.
    """
    found = math.nan
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        with suppress(ValueError, OverflowError):
            found = float(value)
    if not least <= found <= most:
        raise _no_number(name, value, f"a number from {least:g} to {most:g}")
    return found


def whole_number(name: str, least: int, most: int) -> int | None:
    """A parameter of the query string that is a whole number; None if it is not given.

    Raises:
        Problem: 400, it is no whole number between those.
    """
    value = request.args.get(name)
    if value is None:
        return None
    if not re.fullmatch(r"\d{1,19}", value, re.ASCII) or not least <= int(value) <= most:
        raise _no_number(name, value, f"a whole number from {least} to {most}")
    return int(value)


def page(
    pool: Pool,
    read: Callable[..., list[Entry]],
    number: Callable[[Entry], int],
    **others: Any,
) -> tuple[list[Entry], str | None]:
    """The newest of a list, or those before `?before=`; and where the next are, if there are more.

    Args:
        pool: has the sessions.
        read: finds them, with a session, `limit` and `before`.
        number: that of one of them.
        others: further parameters of the address.
    """
    limit = whole_number("limit", 1, _MOST) or _MOST_UNASKED
    before = whole_number("before", 1, LARGEST_ID)
    found = pool.read(lambda session: read(session, limit=limit, before=before))
    if len(found) < limit:
        return found, None
    following = url_for(str(request.endpoint), limit=limit, **others, before=number(found[-1]))
    return found, following


def query_without(*names: str) -> str:
    """The query string as it came, but for these parameters."""
    text = request.query_string.decode("utf-8", "surrogateescape")
    parts = text.split("&")
    return "&".join(part for part in parts if unquote_plus(part.partition("=")[0]) not in names)


def switch(name: str) -> bool:
    """A parameter of the query string that is 1 or 0, which it is if it is not given.

    Raises:
        Problem: 400, it is something else.
    """
    value = request.args.get(name, "0")
    if value not in ("0", "1"):
        raise Problem(400, "No such option", f"{name} is 0 or 1, not {value!r}.")
    return value == "1"


def idempotency_key() -> str | None:
    """What a client calls this request, to send it again without asking for more.

    Raises:
        Problem: 400, it is no such key.
    """
    key = request.headers.get("Idempotency-Key")
    if key is not None and not re.fullmatch(r"[ -~]{1,255}", key):
        detail = "An Idempotency-Key has from 1 to 255 ASCII characters, such as a UUID."
        raise Problem(400, "No such key", detail)
    return key


def options() -> dict[str, Any]:
    """What a run is asked to do otherwise: `max_dropped_ratio`, from the body or the query.

    Raises:
        Problem: 400, it is not understood.
    """
    known = {"max_dropped_ratio"}
    asked = {name: text for name, text in request.args.items() if name not in _OF_THE_REQUEST}
    given = {**_body(), **asked}
    unknown = given.keys() - known
    if unknown:
        names = ", ".join(sorted(unknown))[:100]
        all_known = ", ".join(sorted({*known, *_OF_THE_REQUEST}))
        raise Problem(400, "No such option", f"Not known: {names}. Known: {all_known}.")
    return {name: number(name, value, 0, 1) for name, value in given.items()}


def reason() -> str | None:
    """Why something is asked for, from the body: {"reason": "…"}, or nothing.

    Raises:
        Problem: 400, it is not understood.
    """
    body = _body('{"reason": "the files of Tuesday were wrong"}')
    given = body.pop("reason", None)
    is_text = given is None or (isinstance(given, str) and not _NO_TEXT.search(given))
    if body or not is_text or len(given or "") > MOST_REASON:
        detail = f'The body has a text "reason" of at most {MOST_REASON} characters, or nothing.'
        raise Problem(400, "No such reason", detail)
    return given or None


def requested_by() -> str:
    """Whose token a request has, the address that it came from, and the program."""
    return ", ".join(filter(None, [access.owner(), asked_from()]))


def asked_from() -> str:
    """The address that a request came from, and the program."""
    agent = request.headers.get("User-Agent", "")
    browser = _BROWSER.search(agent) if agent.startswith("Mozilla/") else None
    product = browser or _PRODUCT.match(agent)
    return ", ".join(filter(None, [request.remote_addr, product and product[0]]))


def _body(example: str = '{"max_dropped_ratio": 0.5}') -> dict[str, Any]:
    if not request.get_data(cache=True):
        return {}
    # Whatever type it claims to be: curl -d calls everything a form.
    try:
        body = request.get_json(force=True, silent=True)
    except RecursionError:
        body = None
    if not isinstance(body, dict):
        raise Problem(400, "No JSON object", f"The body may be empty, or {example}.")
    return body


def _no_number(name: str, value: object, wanted: str) -> Problem:
    return Problem(400, "No such value", f"{name} is {wanted}, not {str(value)[:50]!r}.")
