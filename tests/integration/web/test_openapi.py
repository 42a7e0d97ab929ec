"""The OpenAPI document: it names all there is, and nothing answers otherwise than it says."""

import os
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import schemathesis
import yaml
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, settings
from openapi_spec_validator import validate
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from elute.database.sessions import Session, connect
from elute.settings import CHECKOUT
from tests.integration.conftest import Laboratory
from tests.integration.web.publishing import publish, register, withdraw
from tests.service import web_app

# Pages for people, and what they are drawn with.
_PAGES = frozenset(
    {
        "assets.asset",
        "pages.changes",
        "pages.messages",
        "pages.compare",
        "pages.files",
        "pages.history",
        "pages.quality",
        "pages.marts",
        "pages.mart",
        "pages.results",
        "pages.run",
        "sign_in.sign_in",
        "sign_in.sign_in_form",
        "sign_in.sign_out",
        "pages.user",
        "pages.compound",
        "docs_site.without_slash",
        "pages.api",
    }
)
_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]


@pytest.fixture(scope="module")
def described(app: Flask, built: Laboratory) -> dict[str, Any]:
    answer = app.test_client().get("/openapi.json")
    assert answer.status_code == 200
    return dict(answer.get_json())


def test_it_is_valid(described: dict[str, Any]) -> None:
    validate(described)
    assert described["openapi"].startswith("3.1")


def test_no_name_is_given_twice() -> None:
    nodes = [yaml.compose((CHECKOUT / "api/openapi/fixed.yaml").read_text(encoding="utf-8"))]
    while nodes:
        node = nodes.pop()
        if isinstance(node, yaml.MappingNode):
            names = [name.value for name, _ in node.value]
            assert len(names) == len(set(names)), names
            nodes += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            nodes += node.value


def test_it_names_every_route_and_no_other(app: Flask, described: dict[str, Any]) -> None:
    adapter = app.url_map.bind("localhost")
    examples = {
        "run_id": "1",
        "name": "users.csv",
        "user_id": "1",
        "compound_id": "1",
        "extension": "csv",
        "build": "1",
        "message": "1",
    }
    named = set()
    for path, methods in described["paths"].items():
        for method in methods:
            endpoint, _ = adapter.match(path.format(**examples), method.upper())
            named.add((endpoint, method.upper()))
    there = {
        (rule.endpoint, method)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint not in _PAGES
    }
    assert named == there
    assert {rule.endpoint for rule in app.url_map.iter_rules()} >= _PAGES


def test_every_column_is_a_filter_of_its_mart(
    client: FlaskClient, described: dict[str, Any]
) -> None:
    marts = client.get("/marts").json
    assert marts
    for mart in marts:
        parameters = described["paths"][f"/marts/{mart['name']}"]["get"]["parameters"]
        columns = {column["name"] for column in mart["columns"]}
        assert {parameter["name"] for parameter in parameters} >= columns


def test_a_mart_and_a_column_may_have_any_name(
    client: FlaskClient, owner: Session, described: dict[str, Any]
) -> None:
    names = ["größen übersicht", "gr{ö}ßen_übersicht", "a~b", "a.7Eb"]
    publish(owner, "user_id, name as as_of")
    with owner.cursor() as cursor:
        cursor.execute("select tables from builds.publications order by build desc limit 1")
        [[tables]] = cursor.fetchall()
    register(owner, {**tables, **dict.fromkeys(names, tables["user_summary"])})
    try:
        document = client.get("/openapi.json").get_json()
        validate(document)
        for operation in (each["get"] for each in document["paths"].values() if "get" in each):
            told = [(each["name"], each["in"]) for each in operation.get("parameters", ())]
            assert len(set(told)) == len(told), operation["operationId"]
        schemas = document["components"]["schemas"].keys()
        assert schemas > described["components"]["schemas"].keys()
        assert len(schemas - described["components"]["schemas"].keys()) == len(names)
        paths = {mart["name"]: mart["path"] for mart in client.get("/marts").get_json()}
        assert paths["größen übersicht"] == "/marts/gr%C3%B6%C3%9Fen%20%C3%BCbersicht"
        for name in names:
            assert paths[name] in document["paths"]
            assert len(client.get(paths[name]).get_json()) == 14
    finally:
        withdraw(owner)


def test_each_operation_has_a_name_of_its_own_and_a_summary(described: dict[str, Any]) -> None:
    operations = [each for methods in described["paths"].values() for each in methods.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert all(operation["summary"] for operation in operations)


def test_the_page_names_every_path(client: FlaskClient, described: dict[str, Any]) -> None:
    answer = client.get("/api")
    assert answer.mimetype == "text/html"
    assert all(f"<code>{path}</code>" in answer.text for path in described["paths"])
    assert "http://" not in answer.text
    assert "https://" not in answer.text


@pytest.fixture(scope="module")
def live(built: Laboratory) -> Iterator[Any]:
    """What the document of a running service says of it."""
    with web_app(built.environment) as port:
        yield schemathesis.openapi.from_url(f"http://127.0.0.1:{port}/openapi.json")


def test_nothing_answers_otherwise_than_it_says(live: Any) -> None:
    wrong = []
    for found in live.get_all_operations():
        operation = found.ok()
        try:
            try_out(operation)
        except Exception as error:  # One, or a group.
            wrong.append(f"{operation.label}: {error}")
    assert not wrong, "\n\n".join(wrong)


def test_each_mart_is_described_in_its_own_words(client: FlaskClient) -> None:
    paths = (client.get("/openapi.json").json or {})["paths"]
    for mart in client.get("/marts").json or []:
        assert paths[mart["path"]]["get"]["description"] == mart["description"] != ""


def test_what_there_is_answers_as_it_says(live: Any) -> None:
    for path in (
        *("/etl-results/{user_id}", "/etl-results/{user_id}/explain"),
        "/compounds/{compound_id}/explain",
    ):
        case = live[path]["GET"].Case(path_parameters={"user_id": 4, "compound_id": 4})
        assert case.call_and_validate(checks=_CHECKS).status_code == 200
    case = live["/marts/user_summary/histogram"]["GET"].Case(query={"column": "user_id"})
    assert case.call_and_validate(checks=_CHECKS).status_code == 200


def try_out(operation: Any) -> None:
    @settings(
        max_examples=10,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy())
    def try_one(case: Any) -> None:
        # Nobody builds here, so nothing may wait for a build.
        cancel_waiting_runs()
        case.headers["Prefer"] = "respond-async"
        if "wait" in case.query:
            case.query["wait"] = 0
        case.call_and_validate(checks=_CHECKS)

    try_one()


def cancel_waiting_runs() -> None:
    with closing(connect(os.environ)) as session:
        session.cursor().execute(
            "update elute.runs set state = 'cancelled', finished_at = now() where state = 'queued'"
        )
