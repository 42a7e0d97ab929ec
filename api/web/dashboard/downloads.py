"""Marts as files: a link cannot say in a header which format it wants, so its address does."""

import re
from typing import Any

from flask import Response, abort, current_app, make_response, request

from api.web.dashboard import blueprint

FORMATS = {"csv": "text/csv", "json": "application/json", "ndjson": "application/x-ndjson"}


@blueprint.get("/download/<name>.<ending>")
def download(name: str, ending: str) -> Response:
    """The rows of /marts/<name>, with the same query, as a file to save."""
    if ending not in FORMATS:
        abort(404)
    request.environ["HTTP_ACCEPT"] = FORMATS[ending]
    answer: Any = current_app.ensure_sync(current_app.view_functions["marts.mart"])(name)
    response = make_response(answer)
    if response.status_code == 200:
        file = re.sub(r"\W", "_", name)
        response.headers["Content-Disposition"] = f'attachment; filename="{file}.{ending}"'
    return response
