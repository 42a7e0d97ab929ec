"""Who may do what: tokens, and requests that a browser was talked into by another site."""

import hmac
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Flask, Request, Response, current_app, make_response, redirect, request, url_for

from api.problems import Problem
from elute.addresses import is_address, is_loopback
from elute.settings import Settings

COOKIE = "elute_token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_SINGLE_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?")
_View = TypeVar("_View", bound=Callable[..., Any])


def changes(view: _View) -> _View:
    """Mark a view that changes something, although it answers GET."""
    view.changes_something = True  # type: ignore[attr-defined]
    return view


def open_to_all(view: _View) -> _View:
    """Mark a view that needs no token, because it shows no data."""
    view.is_open = True  # type: ignore[attr-defined]
    return view


def init_app(app: Flask) -> None:
    """Check every request before its view is called."""
    app.before_request(_check)


def tokens(changes_something: bool) -> set[str]:
    """The tokens that let a request change something, or only read; empty if it needs none."""
    return _tokens(current_app.config["SETTINGS"], changes_something)


def may_change(app: Flask, headers: dict[str, Any]) -> bool:
    """Whether headers, named as WSGI does, have the token that changes want, if any.

    For the server, which asks before it waits for a long body.
    """
    wanted = _tokens(app.config["SETTINGS"], changes_something=True)
    return not wanted or is_token(_token_of(Request(headers)), wanted)


def _tokens(settings: Settings, changes_something: bool) -> set[str]:
    reading = {settings.read_token} if settings.read_token else set()
    if changes_something:
        return {*settings.tokens} or reading
    return {*settings.tokens, *reading} if reading else set()


def _check() -> Response | None:
    if request.blueprint != "health" and _needs_its_own_name():
        _check_host()
    if request.method == "OPTIONS":
        return None  # Asks what may be asked, and calls no view.
    view = current_app.view_functions.get(request.endpoint or "")
    changes_something = request.method not in _SAFE or hasattr(view, "changes_something")
    if changes_something:
        _check_origin()
    wanted = tokens(changes_something)
    if not wanted or hasattr(view, "is_open") or is_token(given_token(), wanted):
        return None
    form = current_app.config.get("SIGN_IN_ENDPOINT")
    if form and request.method == "GET" and not changes_something and _is_for_a_person():
        return make_response(redirect(url_for(form, next=request.full_path.rstrip("?")), 303))
    may_read = is_token(given_token(), tokens(changes_something=False))
    raise _unauthorized(changes_something, may_read)


def is_token(given: str | None, wanted: set[str]) -> bool:
    """Whether this is one of those; how long it takes tells nothing about them."""
    if given is None:
        return False
    is_equal = [hmac.compare_digest(given.encode(), token.encode()) for token in wanted]
    return any(is_equal)


def given_token() -> str | None:
    """The token of this request: its bearer token, or the cookie of our own pages."""
    return _token_of(request)


def _token_of(request: Request) -> str | None:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return token.strip()
    if request.headers.get("Sec-Fetch-Site", "none") in ("same-origin", "none"):
        return request.cookies.get(COOKIE)
    return None


def owner() -> str:
    """Whose token this request, which was let in, has; "" if it has none or nobody's."""
    name: str = current_app.config["SETTINGS"].tokens.get(given_token() or "", "")
    return name


def _check_origin() -> None:
    cors_origins = current_app.config["SETTINGS"].cors_origins
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if origin in cors_origins and "Authorization" in request.headers and tokens(True):
        return  # No browser adds a token by itself, and whether it is the right one is seen later.
    if site is not None:
        is_foreign = site not in ("same-origin", "none")
    else:
        # With a picture on a page without TLS, browsers send nothing but the Referer.
        page = request.headers.get("Referer") if request.method in _SAFE else None
        is_foreign = any(_is_elsewhere(address) for address in (origin, page))
    # A prefetch is a guess of the browser: nobody has asked for it yet.
    if is_foreign or "prefetch" in request.headers.get("Sec-Purpose", ""):
        raise Problem(
            403,
            "Sent from another site",
            "A page of another site had your browser send this, so it was not done. "
            "Do it from Elute's own page, or with curl. If this was Elute's own page, a proxy in "
            "between calls Elute by another name than you do: have it pass yours on, as nginx "
            "does with 'proxy_set_header Host $http_host'.",
        )


def _is_elsewhere(address: str | None) -> bool:
    """Whether an address is one of another site; so is "null", which hides the site."""
    if address is None:
        return False
    host = address.partition("://")[2].partition("/")[0]
    return not host or host != request.host


def _needs_its_own_name() -> bool:
    """Whether a page of another site could see an answer under a name that it has for us.

    In a network, or behind a proxy, it has names that it does not know; there the token decides.
    """
    settings = current_app.config["SETTINGS"]
    for_changes = tokens(changes_something=True)
    if not for_changes:
        return True
    if tokens(changes_something=False) or settings.trusted_proxies:
        return False
    return is_loopback(settings.web_host) and not is_token(given_token(), for_changes)


def _check_host() -> None:
    """Refuse names that another site has pointed at this machine (DNS rebinding)."""
    if not _is_our_name(request.host, current_app.config["SETTINGS"].web_host):
        raise Problem(
            403,
            "Not called by its own name",
            "Without a token, Elute answers to localhost, to addresses, to names without a dot "
            f"and to names in .local, not to {request.host!r}. Set ELUTE_TOKEN and send it to use "
            "another, or ELUTE_TRUSTED_PROXIES if a proxy does.",
        )


@lru_cache(maxsize=100)
def _is_our_name(host: str, own: str) -> bool:
    """Whether nobody else can have given the name: a site elsewhere has a dot in its own.

    What ends in .local is asked for in this network alone (RFC 6762).
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    is_of_network = _SINGLE_LABEL.fullmatch(name.removesuffix(".local")) is not None
    return name == own.lower() or is_address(name) or is_of_network


def _is_for_a_person() -> bool:
    """Whether a browser is about to show the answer as a page, or to save it as a file."""
    mode = request.headers.get("Sec-Fetch-Mode", "navigate")
    return mode == "navigate" and "text/html" in request.headers.get("Accept", "")


def _unauthorized(changes_something: bool, is_reader: bool) -> Problem:
    name = "ELUTE_TOKEN" if changes_something else "ELUTE_READ_TOKEN or ELUTE_TOKEN"
    title, detail = "Token needed", ""
    if is_reader:
        title, detail = "Only for reading", "The token may read, and change nothing. "
    elif given_token() is not None:
        title, detail = "Wrong token", "The token is not the right one. "
    return Problem(
        401,
        title,
        f"{detail}Send the value of {name} as 'Authorization: Bearer …'.",
        headers={"WWW-Authenticate": 'Bearer realm="elute"'},
    )
