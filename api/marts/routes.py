"""Where the marts are served."""

from typing import Any

from flask import Blueprint, Response, abort

from api import database
from api.marts import media, past
from api.marts.explanations import explain
from api.marts.published import as_json, find, newest
from api.marts.responses import is_bigint, no_such_row, respond
from api.marts.sending import again, to_save
from elute.database.sessions import Session

blueprint = Blueprint("marts", __name__)
RESULTS = "user_summary"


@blueprint.get("/marts/<name>")
def mart(name: str) -> Response:
    """Rows of a mart, in the query language of PostgREST."""
    return past.redirection(name) or respond(name, media.negotiated())


@blueprint.get("/download/<name>.<extension>")
def download(name: str, extension: str) -> Response:
    """The same as a file to save; a link cannot say in a header which media type it wants."""
    if extension not in media.EXTENSIONS:
        abort(404)
    return to_save(respond(name, media.EXTENSIONS[extension]), name, extension)


@blueprint.get("/etl-results")
def results() -> Response:
    """Rows of user_summary, ready for pandas.read_json."""
    return past.redirection(RESULTS) or respond(RESULTS, media.negotiated())


@blueprint.get("/etl-results/<user_id>")
def result(user_id: str) -> Response:
    """The row of one user."""
    return respond(RESULTS, media.negotiated((*media.ARRAYS, *media.OBJECTS)), key=user_id)


@blueprint.get("/etl-results/<user_id>/explain")
def explain_user(user_id: str) -> Response:
    """The experiments, compounds and left out records behind the row of one user."""
    return _explained(RESULTS, user_id, "user")


@blueprint.get("/compounds/<compound_id>/explain")
def explain_compound(compound_id: str) -> Response:
    """The users, experiments, run times and left out records behind the row of one compound."""
    return _explained("compound_usage", compound_id, "compound")


def _explained(name: str, key: str, kind: str) -> Response:
    def fetch(session: Session) -> Response:
        build, wanted = find(session, name)
        found = explain(session, build, kind, int(key)) if is_bigint(key) else None
        if found is None:
            raise no_such_row(wanted, key)
        return Response(found, content_type=media.JSON, headers={"Cache-Control": "no-cache"})

    return again(lambda: database.current().reader.read(fetch))


@blueprint.get("/marts")
def show_all() -> tuple[list[dict[str, Any]], int, dict[str, str]]:
    """The marts of the published build, and what is in them."""
    build = database.current().reader.read(newest)
    marts = build.marts.values() if build else ()
    described = [as_json(build, mart, "/marts") for mart in marts if build]
    return described, 200, {"Cache-Control": "no-cache"}
