"""Signing in: a browser keeps the token in a cookie that no script and no other site can use."""

from flask import Blueprint, Response, make_response, redirect, request

from api import access
from dashboard.pages import render

blueprint = Blueprint("sign_in", __name__)


@blueprint.get("/sign-in")
@access.open_to_all
def sign_in_form() -> Response:
    """Ask for the token, if there is one."""
    target = _own_path(request.args.get("next", "/"))
    if not access.tokens(changes_something=True):
        return make_response(redirect(request.script_root + target, 303))
    return render("sign_in.html", next=target, is_wrong=False)


@blueprint.post("/sign-in")
@access.open_to_all
def sign_in() -> Response:
    """Keep the token if it is one of ours, and go back to where it was asked for."""
    ours = access.tokens(changes_something=True) | access.tokens(changes_something=False)
    token = request.form.get("token", "").strip()
    target = _own_path(request.form.get("next", "/"))
    if not access.is_token(token, ours):
        return render("sign_in.html", 401, next=target, is_wrong=True)
    response = make_response(redirect(request.script_root + target, 303))
    # No expiry: it is gone when the browser is closed.
    response.set_cookie(
        access.COOKIE, token, path=_path(), httponly=True, samesite="Strict",
        secure=request.is_secure,
    )  # fmt: skip
    return response


@blueprint.post("/sign-out")
@access.open_to_all
def sign_out() -> Response:
    """Forget the token."""
    response = make_response(redirect(f"{request.script_root}/", 303))
    response.delete_cookie(access.COOKIE, path=_path(), httponly=True, samesite="Strict")
    return response


def _path() -> str:
    """Below which the cookie is sent: what else is on this host is not ours."""
    return request.script_root or "/"


def _own_path(path: str) -> str:
    """The path if it is one of this site; else the first page."""
    is_own = path.startswith("/") and not path.startswith("//")
    return path if is_own and path.isprintable() and "\\" not in path else "/"
