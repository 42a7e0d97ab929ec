"""What each answer says of its request: `X-Request-Id`, and `Server-Timing`."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from flask import Flask, Response, g, has_request_context, request

_GIVEN = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


def init_app(app: Flask) -> None:
    """Begin each request with its id and the time; to be called before anything can refuse one."""
    app.before_request(_begin)
    app.after_request(_tell)


@contextmanager
def database_time() -> Iterator[None]:
    """Count the time in which a session is waited for and held as that of the database."""
    # A stream holds its session, and so this list, for longer than the request lasts.
    spans: list[float] = g.setdefault("database_spans", []) if has_request_context() else []
    spans.append(-time.perf_counter())
    try:
        yield
    finally:
        spans.append(time.perf_counter())


def _begin() -> None:
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if _GIVEN.fullmatch(given) else uuid4().hex
    g.arrived_at = time.perf_counter()


def _tell(response: Response) -> Response:
    spans = g.get("database_spans", [])
    is_held = len(spans) % 2  # by a stream that begins
    database = sum(spans) + is_held * time.perf_counter()
    total = time.perf_counter() - g.arrived_at
    response.headers["X-Request-Id"] = g.request_id
    response.headers["Server-Timing"] = (
        f"total;dur={total * 1000:.1f}, database;dur={database * 1000:.1f}"
    )
    return response
