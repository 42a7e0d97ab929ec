"""The OpenAPI document of an app, made from its routes, its settings and the marts' contracts."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

from flask import Flask
from werkzeug.routing import Rule

from api.settings import CHECKOUT
from api.web import access
from api.web.marts import catalogue
from api.web.openapi import marts
from api.web.openapi.operations import OPERATIONS
from api.web.openapi.parts import TEXT, Json, Operation, answer, contents, problem
from api.web.openapi.schemas import SCHEMAS

# Pages for people, and what they are drawn with.
PAGES = frozenset(
    {
        "dashboard.asset",
        "dashboard.files",
        "dashboard.history",
        "dashboard.quality",
        "dashboard.results",
        "dashboard.run",
        "dashboard.sign_in",
        "dashboard.sign_in_form",
        "dashboard.sign_out",
        "dashboard.user",
        "docs_site.without_slash",
        "openapi.page",
    }
)
RESULTS = "user_summary"
_TAGS = {
    "runs": "Start builds, follow them, cancel them.",
    "marts": "Read what was built, in the query language of PostgREST.",
    "inputs": "Look at the three input files, and replace them.",
    "operations": "How the service is.",
}
_PARAMETER = re.compile(r"<(?:[^:<>]+:)?(\w+)>")


def build(app: Flask) -> dict[str, Any]:
    """The document, as a JSON object."""
    paths: dict[str, Any] = {}
    for rule in sorted(app.url_map.iter_rules(), key=_place):
        for path, method, operation in _operations(rule):
            described = _described(app, rule, path, method, operation)
            paths.setdefault(path, {})[method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Elute",
            "version": _version(),
            "summary": "From three CSV files of experiment records to tested tables.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": about} for name, about in _TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": {**SCHEMAS, **marts.schemas()},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": _TOKEN},
                "cookie": {"type": "apiKey", "in": "cookie", "name": access.COOKIE},
            },
        },
    }


_TOKEN = "ELUTE_TOKEN for whatever changes something; ELUTE_READ_TOKEN for reading."  # noqa: S105


def _place(rule: Rule) -> tuple[bool, str]:
    # What everybody comes for stands first.
    return rule.rule != "/trigger-etl", rule.rule


def _version() -> str:
    project = (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r'(?m)^version = "(.+)"', project)
    return found[1] if found else "unknown"


def _operations(rule: Rule) -> Iterator[tuple[str, str, Operation]]:
    """What can be done at a route: path, method and what else there is to say.

    A route for any mart is as many paths, each with the parameters of its mart.
    """
    if rule.endpoint in PAGES:
        return
    path = _PARAMETER.sub(r"{\1}", rule.rule)
    for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
        if (rule.endpoint, method) in OPERATIONS:
            yield path, method, OPERATIONS[rule.endpoint, method]
        else:
            yield from _mart_operations(rule.endpoint, path, method)


def _mart_operations(endpoint: str, path: str, method: str) -> Iterator[tuple[str, str, Operation]]:
    known = catalogue.marts()
    one = {
        "marts.results": lambda: marts.rows(known[RESULTS]),
        "marts.result": lambda: marts.one_row(known[RESULTS], "user_id"),
        "marts.explain": marts.explanation,
        "marts.show_all": marts.listing,
    }
    each = {
        "marts.mart": marts.rows,
        "dashboard.histogram": marts.histogram,
        "dashboard.download": marts.download,
    }
    if endpoint in one:
        yield path, method, one[endpoint]()
    elif endpoint in each:
        for mart in known.values():
            yield path.replace("{name}", mart.name), method, each[endpoint](mart)
    else:
        raise LookupError(f"{method} {path} ({endpoint}) is described nowhere in api/web/openapi")


def _described(app: Flask, rule: Rule, path: str, method: str, operation: Operation) -> Json:
    view = app.view_functions[rule.endpoint]
    summary, _, rest = inspect.cleandoc(view.__doc__ or "").partition("\n\n")
    described: Json = {
        "operationId": f"{method.lower()}_{re.sub(r'[^a-z0-9]+', '_', path.lower()).strip('_')}",
        "tags": [operation.tag],
        "summary": " ".join(summary.split()),
        "parameters": [*_path_parameters(path, operation), *operation.parameters],
        "responses": _responses(rule, operation),
        "security": _security(app, view, method),
    }
    is_for_reading = method == "GET" and not getattr(view, "changes_something", False)
    if is_for_reading and described["security"]:
        described["responses"].setdefault("303", answer("A browser is asked to sign in."))
    if rest and not rest.startswith("Raises"):
        described["description"] = " ".join(rest.split("Raises:")[0].split())
    if operation.body:
        described["requestBody"] = operation.body
    return described


def _path_parameters(path: str, operation: Operation) -> Iterator[Json]:
    for name in re.findall(r"{(\w+)}", path):
        schema = operation.path.get(name, TEXT)
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _responses(rule: Rule, operation: Operation) -> Json:
    always = {
        401: problem("The token is missing or wrong."),
        403: problem("A page of another site had a browser send this."),
        500: problem("An error in Elute itself."),
        503: problem("There is no database."),
    }
    if rule.endpoint.startswith("health."):
        always = {403: always[403], 500: always[500]}
    if rule.endpoint.startswith("trigger."):
        always = {}  # Its errors have the body of its other answers.
    found = {**always, **operation.responses}
    for status in always.keys() & operation.responses.keys():
        found[status] = _either(operation.responses[status], always[status])
    return {str(status): found[status] for status in sorted(found)}


def _either(one: Json, other: Json) -> Json:
    """A response that looks like one or the other."""
    joined = {**other.get("content", {}), **one.get("content", {})}
    return contents(one["description"], {}) | {"content": joined}


def _security(app: Flask, view: Any, method: str) -> list[Json]:
    settings = app.config["SETTINGS"]
    changes = method != "GET" or getattr(view, "changes_something", False)
    needs_token = settings.token or settings.read_token if changes else settings.read_token
    if getattr(view, "is_open", False) or not needs_token:
        return []
    return [{"token": []}, {"cookie": []}]
