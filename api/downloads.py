"""Marts as files: a link cannot say in a header which format it wants, so its address does."""

import re

from flask import Blueprint, Response, abort

from api.marts.responses import respond

blueprint = Blueprint("downloads", __name__)
FORMATS = {"csv": "text/csv", "json": "application/json", "ndjson": "application/x-ndjson"}


@blueprint.get("/download/<name>.<extension>")
def download(name: str, extension: str) -> Response:
    """The rows of /marts/<name>, with the same query, as a file to save."""
    if extension not in FORMATS:
        abort(404)
    response = respond(name, FORMATS[extension])
    if response.status_code == 200:
        file = re.sub(r"\W", "_", name)
        response.headers["Content-Disposition"] = f'attachment; filename="{file}.{extension}"'
    return response
