"""Errors over HTTP: `application/problem+json` (RFC 9457), with nothing clients may not see."""

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import psycopg2
from flask import Flask, Response, current_app, g, request
from pgrest_query import QueryError
from werkzeug.exceptions import HTTPException

from elute.database import faults
from elute.errors import EluteError, ServerError

MEDIA_TYPE = "application/problem+json"
_RETRY_SECONDS = 2
_LOG = logging.getLogger("elute.web")


class Problem(EluteError):  # noqa: N818 (the name that RFC 9457 gives it)
    """What went wrong, for a person to act on, and the status that says so to a program.

    Args:
        status: the HTTP status.
        title: the kind of problem, the same for each of its kind.
        detail: what is wrong here, and what to do.
        headers: sent with the answer.
        extra: further members of the body.
    """

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail)
        self.status, self.title, self.detail = status, title, detail
        self.headers, self.extra = dict(headers or {}), extra

    def as_json(self) -> dict[str, Any]:
        """The body, but for what it says of the request."""
        return {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            **self.extra,
        }


def unavailable(title: str, detail: str, **extra: Any) -> Problem:
    """503: it cannot be had now, and is worth asking for again shortly."""
    return Problem(503, title, detail, headers={"Retry-After": str(_RETRY_SECONDS)}, **extra)


def postgrest(code: str, message: str, details: str | None = None) -> dict[str, Any]:
    """Further members of a problem: what PostgREST's clients show."""
    return {"code": code, "message": message, "details": details, "hint": None}


def full_disk() -> faults.Fault | None:
    """What there is to say of the disk of ELUTE_HOME, if it is full."""
    return faults.of_disk(current_app.config["SETTINGS"].home)


def is_passing(error: EluteError | psycopg2.Error) -> bool:
    """Whether the database is away or busy, so that it is worth looking again."""
    if isinstance(error, Problem):
        return error.status == HTTPStatus.SERVICE_UNAVAILABLE
    return isinstance(error, (ServerError, psycopg2.Error))


def respond(problem: Problem) -> Response:
    """The answer that carries a problem."""
    body = {**problem.as_json(), "instance": request.path, "request_id": g.get("request_id")}
    response = Response(
        json.dumps(body, ensure_ascii=False) + "\n",
        status=problem.status,
        content_type=MEDIA_TYPE,
        headers=problem.headers,
    )
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def from_error(error: Exception) -> Problem:
    """The problem that an exception amounts to; what is not for clients goes to the log instead."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, UnicodeDecodeError) and error.object == request.query_string:
        error = QueryError("The query is not in UTF-8.", code="22021")
    if isinstance(error, QueryError):
        return _from_query(error)
    if isinstance(error, HTTPException):
        return _from_werkzeug(error)
    if fault := faults.of_error(error):
        if fault.ends_sessions:
            fault = full_disk() or fault
        _LOG.warning("%s: %s", fault.title, " ".join(str(error).split()))
        return unavailable(fault.title, fault.detail)
    if isinstance(error, EluteError):
        _LOG.error("%s", error)
        return Problem(500, "It cannot be done", str(error))
    _LOG.error("%s %s failed", request.method, request.path, exc_info=error)
    return Problem(
        500, "Something went wrong", "An error in Elute itself; the server's log has the details."
    )


def init_app(app: Flask) -> None:
    """Answer every error of this app with a problem."""
    app.register_error_handler(Exception, lambda error: respond(from_error(error)))


def _from_query(error: QueryError) -> Problem:
    """With the members that PostgREST's clients show, too."""
    title = "Range not satisfiable" if error.status == 416 else "Bad query"
    detail = error.message if error.status == 400 else error.details or error.message
    return Problem(error.status, title, detail, headers=error.headers, **error.as_json())


def _from_werkzeug(error: HTTPException) -> Problem:
    status = error.code or 500
    if error.response is not None:  # A redirect.
        status = error.response.status_code
    details = {
        404: f"There is nothing at {request.path}; /openapi.json lists what there is.",
        405: f"{request.method} is not possible at {request.path}.",
    }
    headers = {
        name: value
        for name, value in error.get_headers()
        if name not in ("Content-Type", "Content-Length")
    }
    detail = details.get(status) or error.description or HTTPStatus(status).description
    return Problem(status, HTTPStatus(status).phrase, detail, headers=headers)
