"""Stylesheet, modules and drawings, under an address that changes when any of them does."""

import hashlib
import re
from functools import cache
from pathlib import Path

from flask import Blueprint, Response, abort, request, send_from_directory

from api import access

blueprint = Blueprint("assets", __name__)
FOLDER = Path(__file__).with_name("static")
A_YEAR = 365 * 24 * 3600
_IMPORTED = re.compile(r'(?m)^import [^;]*"\./([^"]+)";$')


@cache
def version() -> str:
    """What tells these files from those of another Elute: part of their address."""
    digest = hashlib.sha256()
    for path in sorted(FOLDER.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


@blueprint.app_template_global("asset")
def address(name: str) -> str:
    """Where a file is served; modules find each other beside themselves."""
    return f"{request.script_root}/assets/{version()}/{name}"


@blueprint.app_template_global("imports")
@cache
def imports(*names: str) -> list[str]:
    """What these modules import, and what that imports; named in a page, none waits for another."""
    found = list(names)
    for name in found:
        text = (FOLDER / name).read_text(encoding="utf-8")
        found += [each for each in _IMPORTED.findall(text) if each not in found]
    return found[len(names) :]


@blueprint.get("/assets/<of_version>/<name>")
@access.open_to_all
def asset(of_version: str, name: str) -> Response:
    """One file; a browser that has it never asks again."""
    if of_version != version():
        abort(404)
    response = send_from_directory(FOLDER, name, max_age=A_YEAR)
    response.cache_control.immutable = True
    # A worker has the policy of its own script.
    response.headers["Content-Security-Policy"] = "default-src 'self'"
    return response
