"""Where the marts are served."""

from flask import Blueprint, Response, request

from api.web.marts import catalogue, media
from api.web.marts.answers import answer
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


def _rows(wanted: Mart) -> Response:
    return answer(wanted, media.negotiated(request.headers.get("Accept", "")))


def _served(name: str) -> Mart:
    found = catalogue.marts().get(name)
    if found is None:
        known = ", ".join(sorted(catalogue.marts()))
        detail = f"There is no mart {name!r}; there are {known}."
        raise Problem(
            404, "No such mart", detail, code="PGRST205", message=detail, details=None, hint=None
        )
    return found
