"""The pages. They hold no data: what they show, their modules get from the API, with its rights."""

from typing import Any

import pgrest_query
from flask import Blueprint, Response, make_response, render_template, request

from api import access, openapi
from api.marts.published import published_marts

blueprint = Blueprint("pages", __name__, template_folder="templates")
PAGES = (
    ("/", "Results"),
    ("/quality", "Data quality"),
    ("/tables", "Tables"),
    ("/history", "Runs"),
    ("/files", "Files"),
    ("/docs/", "Docs"),
    ("/api", "API"),
)
# Everything comes from here, nothing is inline, and nobody frames us.
POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'"
)
blueprint.add_app_template_filter(pgrest_query.quoted)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-cache",
    "Vary": "Cookie",
}


def render(template: str, status: int = 200, **values: Any) -> Response:
    """A page, with the headers that every page has."""
    values.setdefault("next", request.full_path.rstrip("?"))
    page = render_template(
        f"dashboard/{template}",
        pages=PAGES,
        root=request.script_root,
        here=values.pop("here", request.path),
        has_tokens=bool(access.tokens(changes_something=True)),
        is_signed_in=access.COOKIE in request.cookies,
        **values,
    )
    response = make_response(page, status)
    response.headers.update(_HEADERS)
    return response


def _add(path: str, template: str, here: str | None = None) -> None:
    """A page at this path, whose parts the template is given; `here` is its place in PAGES."""

    @access.open_to_all
    def view(**parts: Any) -> Response:
        return render(template, here=here or path, **parts)

    blueprint.add_url_rule(path, template.removesuffix(".html"), view)


_add("/", "results.html")
_add("/users/<user_id>", "user.html", "/")
_add("/compounds/<compound_id>", "compound.html", "/tables")
_add("/quality", "quality.html")
_add("/history", "history.html")
_add("/history/<int:run_id>", "run.html", "/history")
_add("/history/changes", "changes.html", "/history")
_add("/history/messages", "messages.html", "/history")
_add("/compare", "compare.html", "/history")
_add("/files", "files.html")


@blueprint.get("/tables")
@access.open_to_all
def marts() -> Response:
    """The marts of the published build."""
    return render("marts.html", marts=published_marts())


@blueprint.get("/tables/<name>")
@access.open_to_all
def mart(name: str) -> Response:
    """One of them, or what the API says of one that is not there."""
    return render("mart.html", name=name, mart=published_marts().get(name), here="/tables")


@blueprint.get("/api")
@access.open_to_all
def api() -> Response:
    """What /openapi.json says, for people."""
    return render("api.html", document=openapi.document())
