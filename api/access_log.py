"""A line in the log for each request, and the id of the request in whatever is logged meanwhile."""

import logging
import time

from flask import Flask, Response, g, has_request_context, request

from elute.settings import Settings

_LOG = logging.getLogger("elute.access")


def init_app(app: Flask, settings: Settings) -> None:
    """Write a line about every request, when its answer begins; see `elute.logs`."""
    # Not for a person at a terminal, who did each request; and a line costs as much as a query.
    if settings.log_format == "json":
        app.after_request(_note)


def request_id() -> str | None:
    """That of the request that is being answered."""
    return g.get("request_id") if has_request_context() else None


def _note(response: Response) -> Response:
    seconds = time.perf_counter() - g.get("arrived_at", time.perf_counter())
    milliseconds = round(seconds * 1000, 1)
    target = request.full_path if request.query_string else request.path
    fields = {
        "method": request.method,
        "path": request.path,
        "status": response.status_code,
        "milliseconds": milliseconds,
        "bytes": response.content_length,
        "client": request.remote_addr,
        "user_agent": request.headers.get("User-Agent"),
    }
    said = (request.method, target, response.status_code, milliseconds)
    _LOG.info("%s %s %s %s ms", *said, extra={"fields": fields})
    return response
