"""The pages. They hold no data: what they show, their modules get from the API, with its rights."""

from typing import Any

from flask import Blueprint, Response, current_app, make_response, render_template, request

from api import access, openapi
from elute.settings import Settings

blueprint = Blueprint("pages", __name__, template_folder="templates")
PAGES = (
    ("/", "Results"),
    ("/quality", "Data quality"),
    ("/history", "Runs"),
    ("/files", "Files"),
    ("/docs/", "Docs"),
    ("/api", "API"),
)
# Those that every page needs, named in its head so that none waits for another.
MODULES = [f"{name}.js" for name in ("api", "elements", "format", "follow", "outcome", "states")]
# Everything comes from here, nothing is inline, and nobody frames us.
POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
    "Vary": "Cookie",
}


def settings() -> Settings:
    """Those of the app that answers."""
    found: Settings = current_app.config["SETTINGS"]
    return found


def render(template: str, status: int = 200, **values: Any) -> Response:
    """A page, with the headers that every page has."""
    values.setdefault("next", request.full_path.rstrip("?"))
    page = render_template(
        f"dashboard/{template}",
        pages=PAGES,
        here=values.pop("here", request.path),
        modules=MODULES,
        has_tokens=bool(settings().token or settings().read_token),
        is_signed_in=access.COOKIE in request.cookies,
        **values,
    )
    response = make_response(page, status)
    response.headers.update(_HEADERS)
    return response


@blueprint.get("/")
@access.open_to_all
def results() -> Response:
    """The users, the plots, the numbers of the whole laboratory."""
    return render("results.html")


@blueprint.get("/users/<user_id>")
@access.open_to_all
def user(user_id: str) -> Response:
    """One user, and how each number comes about."""
    return render("user.html", user_id=user_id, here="/")


@blueprint.get("/quality")
@access.open_to_all
def quality() -> Response:
    """What was left out, and why."""
    return render("quality.html")


@blueprint.get("/history")
@access.open_to_all
def history() -> Response:
    """All runs."""
    return render("history.html")


@blueprint.get("/history/<int:run_id>")
@access.open_to_all
def run(run_id: int) -> Response:
    """One run."""
    return render("run.html", run_id=run_id, here="/history")


@blueprint.get("/files")
@access.open_to_all
def files() -> Response:
    """The files, and putting new ones in their place."""
    return render("files.html")


@blueprint.get("/api")
@access.open_to_all
def api() -> Response:
    """What /openapi.json says, for people."""
    return render("api.html", document=openapi.document(settings()))
