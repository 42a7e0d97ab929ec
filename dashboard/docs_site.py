"""The dbt docs site of the published build at /docs/, as the worker left it."""

from flask import Blueprint, Response, current_app, redirect, send_file, url_for

from api import access
from dashboard.pages import render

blueprint = Blueprint("docs_site", __name__)
# dbt's page is one file with its scripts in it. It may load nothing and send nothing: not the
# tracker either, which its scripts fetch when a project was built with usage statistics on.
POLICY = (
    "default-src 'self' 'unsafe-inline' data: blob:; "
    "script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "connect-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "object-src 'none'"
)


@blueprint.get("/docs")
@access.open_to_all
def without_slash() -> Response:
    """The address as people type it."""
    return redirect(url_for("docs_site.site"), 308)  # type: ignore[return-value]


@blueprint.get("/docs/")
def site() -> Response:
    """The site; before the first build, a page that says so."""
    try:
        index = current_app.config["SETTINGS"].home / "docs" / "index.html"
        response = send_file(index, max_age=0, conditional=True)
    except FileNotFoundError:
        return render("no_docs.html", 404)
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
