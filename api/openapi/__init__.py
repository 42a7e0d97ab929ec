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
from flask import Blueprint, request

from api import access
from api.marts.published import published_marts
from api.openapi import marts
from elute.inputs import columns

blueprint = Blueprint("openapi", __name__)


@blueprint.get("/openapi.json")
@access.open_to_all
def document() -> dict[str, Any]:
    """This document."""
    fixed, known = _fixed(), published_marts()
    paths = {**fixed["paths"], **marts.paths(known, fixed)}
    order = sorted(paths, key=lambda path: (path != "/trigger-etl", path))
    return {
        **{name: value for name, value in fixed.items() if not name.startswith("x-")},
        "info": {**fixed["info"], "version": version("elute")},
        "servers": [{"url": f"{request.script_root}/"}],
        "paths": {path: _secured(path, paths[path]) for path in order},
        "components": {
            **fixed["components"],
            "schemas": {
                **fixed["components"]["schemas"],
                "InputName": {
                    "type": "string",
                    "enum": list(columns()),
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


def _secured(path: str, operations: dict[str, Any]) -> dict[str, Any]:
    """The operations of a path, each with the tokens that it needs here."""
    return {
        method: {"security": _security(path, method), **operation}
        for method, operation in operations.items()
    }


def _security(path: str, method: str) -> list[dict[str, list[str]]]:
    tokens = access.tokens(method != "get" or path == "/trigger-etl")
    return [{"token": []}, {"cookie": []}] if tokens else []
