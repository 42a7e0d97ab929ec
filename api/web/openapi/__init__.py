"""The HTTP API described: `/openapi.json` for programs, and `/api`, the same for people."""

from flask import Blueprint, Response, current_app, jsonify

from api.web.access import open_to_all
from api.web.dashboard.pages import render
from api.web.openapi.document import build

blueprint = Blueprint("openapi", __name__, template_folder="templates")


@blueprint.get("/openapi.json")
@open_to_all
def show() -> Response:
    """This document."""
    return jsonify(build(current_app))


@blueprint.get("/api")
@open_to_all
def page() -> Response:
    """The same as a page."""
    return render("api.html", document=build(current_app), here="/api")
