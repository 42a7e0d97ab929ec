"""Marts as files: a link cannot say in a header which format it wants, so its address does."""

import re

from flask import Response, abort, current_app, make_response, request

from api.web.dashboard import blueprint

FORMATS = {"csv": "text/csv", "json": "application/json", "ndjson": "application/x-ndjson"}


@blueprint.get("/download/<name>.<ending>")
def download(name: str, ending: str) -> Response:
    """The rows of /marts/<name>, with the same query, as a file to save."""
    if ending not in FORMATS:
        abort(404)
    request.environ["HTTP_ACCEPT"] = FORMATS[ending]
    routes = current_app.url_map.bind(request.host)
    endpoint, values = routes.match(f"/marts/{name}", method="GET")
    response = make_response(current_app.view_functions[endpoint](**values))
    if response.status_code == 200:
        file = re.sub(r"\W", "_", name)
        response.headers["Content-Disposition"] = f'attachment; filename="{file}.{ending}"'
    return response
