"""Where the marts are served."""

import re

from flask import Blueprint, Response, jsonify, request

from api.web import pool
from api.web.marts import catalogue, explanations, listing, media
from api.web.marts.answers import answer, no_such_row, one
from api.web.marts.catalogue import Mart
from api.web.problems import Problem

blueprint = Blueprint("marts", __name__)
RESULTS = "user_summary"


@blueprint.get("/marts/<name>")
def mart(name: str) -> Response:
    """Rows of a mart, in the query language of PostgREST."""
    return _rows(_served(name))


@blueprint.get("/etl-results")
def results() -> Response:
    """Rows of user_summary, ready for pandas.read_json."""
    return _rows(_served(RESULTS))


@blueprint.get("/etl-results/<user_id>")
def result(user_id: str) -> Response:
    """The row of one user."""
    wanted = _served(RESULTS)
    form = media.negotiated(request.environ.get("HTTP_ACCEPT", ""), (media.JSON, media.OBJECT))
    return one(wanted, _key(wanted, user_id), form)


@blueprint.get("/etl-results/<user_id>/explain")
def explain(user_id: str) -> Response:
    """The experiments, compounds and left out records behind the row of one user."""
    wanted = _served(RESULTS)
    found = explanations.explain(wanted, _key(wanted, user_id))
    if found is None:
        raise no_such_row(wanted, user_id)
    return Response(
        found, content_type=media.JSON.content_type, headers={"Cache-Control": "no-cache"}
    )


@blueprint.get("/marts")
def show_all() -> Response:
    """The marts that are served, what is in them, and when each was published."""
    known = pool.reader().read(listing.published)
    response = jsonify(
        [listing.described(mart, known.get(mart.name)) for mart in catalogue.marts().values()]
    )
    response.headers["Cache-Control"] = "no-cache"
    return response


def _key(wanted: Mart, text: str) -> int:
    """The key that a path names."""
    if not re.fullmatch(r"[+-]?[0-9]{1,19}", text) or not -(2**63) <= int(text) < 2**63:
        raise no_such_row(wanted, text)
    return int(text)


def _rows(wanted: Mart) -> Response:
    return answer(wanted, media.negotiated(request.environ.get("HTTP_ACCEPT", "")))


def _served(name: str) -> Mart:
    found = catalogue.marts().get(name)
    if found is None:
        known = ", ".join(sorted(catalogue.marts()))
        detail = f"There is no mart {name!r}; there are {known}."
        raise Problem(
            404, "No such mart", detail, code="PGRST205", message=detail, details=None, hint=None
        )
    return found
