"""The HTTP API described, at `/openapi.json`.

Routes that are always there are described in fixed.yaml, where an object requires all its
properties if it does not say otherwise; those of the marts follow from contracts, and the names of
the input files from the seeds.
"""

from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from flask import Blueprint, current_app, request

from api.access import open_to_all
from api.marts.published import published_marts
from api.openapi import marts
from elute.inputs import COLUMNS
from elute.settings import Settings

blueprint = Blueprint("openapi", __name__)


@blueprint.get("/openapi.json")
@open_to_all
def show() -> dict[str, Any]:
    """This document."""
    return document(current_app.config["SETTINGS"])


def document(settings: Settings) -> dict[str, Any]:
    """The OpenAPI document, as a JSON object."""
    fixed, known = _fixed(), published_marts()
    paths = {**fixed["paths"], **marts.paths(known, fixed)}
    order = sorted(paths, key=lambda path: (path != "/trigger-etl", path))
    return {
        **{name: value for name, value in fixed.items() if not name.startswith("x-")},
        "info": {**fixed["info"], "version": version("elute")},
        "servers": [{"url": f"{request.script_root}/"}],
        "paths": {path: _secured(path, paths[path], settings) for path in order},
        "components": {
            **fixed["components"],
            "schemas": {
                **fixed["components"]["schemas"],
                "InputName": {
                    "type": "string",
                    "enum": list(COLUMNS),
                    "description": "An input file.",
                },
                **marts.schemas(known),
            },
        },
    }


@cache
def _fixed() -> dict[str, Any]:
    text = Path(__file__).with_name("fixed.yaml").read_text(encoding="utf-8")
    described: dict[str, Any] = yaml.safe_load(text)
    _require_all(described)
    return described


def _require_all(described: Any) -> None:
    """Have each object require all its properties, if it does not say which."""
    if isinstance(described, dict):
        if isinstance(described.get("properties"), dict):
            described.setdefault("required", list(described["properties"]))
        described = list(described.values())
    if isinstance(described, list):
        for each in described:
            _require_all(each)


def _secured(path: str, operations: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """The operations of a path, each with the tokens that these settings ask for."""
    return {
        method: {"security": _security(path, method, settings), **operation}
        for method, operation in operations.items()
    }


def _security(path: str, method: str, settings: Settings) -> list[dict[str, list[str]]]:
    is_changing = method != "get" or path == "/trigger-etl"
    token = settings.tokens or settings.read_token if is_changing else settings.read_token
    return [{"token": []}, {"cookie": []}] if token else []
