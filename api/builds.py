"""`/builds`: what was published, and the marts of each build, which never change."""

from operator import itemgetter
from typing import Any

from flask import Blueprint, Response, jsonify, url_for

from api import database, parameters
from api.marts import media, past
from api.marts.published import as_json, find_in, no_such_build, numbered
from api.marts.responses import respond_for_ever
from elute.database import history

blueprint = Blueprint("builds", __name__)


@blueprint.get("/builds")
def show_some() -> dict[str, Any]:
    """The newest builds, or those before another."""
    reader = database.current().reader
    builds, following = parameters.page(reader, history.page, itemgetter("build"))
    return {"builds": [_as_json(build) for build in builds], "next": following}


@blueprint.get("/builds/<int:build>")
def show(build: int) -> dict[str, Any]:
    """One build."""
    found = None
    if build <= parameters.LARGEST_ID:
        found = database.current().reader.read(lambda session: history.one(session, build))
    if found is None:
        raise no_such_build(build)
    return _as_json(found)


@blueprint.get("/builds/<int:build>/marts")
def marts(build: int) -> Response:
    """The marts of a build, and what is in them; of those no longer kept no columns."""
    found = database.current().reader.read(lambda session: numbered(session, build))
    path = url_for("builds.marts", build=build)
    return jsonify([as_json(found, mart, f"{path}/{mart.name}") for mart in found.marts.values()])


@blueprint.get("/builds/<int:build>/marts/<name>")
def mart(build: int, name: str) -> Response:
    """Rows of a mart of a build, in the query language of PostgREST."""
    response = respond_for_ever(
        lambda session: find_in(session, build, name), media.negotiated(*media.MEDIA_TYPES)
    )
    response.headers["Memento-Datetime"] = response.headers["Last-Modified"]
    response.headers["Link"] = past.original(url_for("marts.mart", name=name))
    return response


def _as_json(build: dict[str, Any]) -> dict[str, Any]:
    path = url_for("builds.show", build=build["build"])
    return {
        **build,
        "marts": [{"name": name, "path": f"{path}/marts/{name}"} for name in build["marts"]],
    }
