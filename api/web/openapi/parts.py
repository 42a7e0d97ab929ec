"""The parts that descriptions of operations are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from api.web import problems

Json = dict[str, Any]
TEXT: Json = {"type": "string"}
WHOLE: Json = {"type": "integer", "format": "int64"}
ANYTHING: Json = {"type": "object", "additionalProperties": True}
NUMBER: Json = {"type": "number"}
BOOLEAN: Json = {"type": "boolean"}
MOMENT: Json = {"type": "string", "format": "date-time"}
SWITCH: Json = {"type": "string", "enum": ["0", "1"], "default": "0"}


@dataclass(frozen=True)
class Operation:
    """What the routes do not say of an operation themselves.

    Attributes:
        tag: the group it belongs to.
        responses: by status.
        parameters: of the query and the header; those of the path are known.
        body: a request body.
        path: schemas of the parameters in the path that are no plain text.
    """

    tag: str
    responses: Mapping[int, Json]
    parameters: Sequence[Json] = ()
    body: Json | None = None
    path: Mapping[str, Json] = field(default_factory=dict)


def reference(name: str) -> Json:
    """A schema of the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def nullable(schema: Json) -> Json:
    """The schema, or null."""
    if isinstance(schema.get("type"), str) and "enum" not in schema:
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def list_of(schema: Json) -> Json:
    """An array of such."""
    return {"type": "array", "items": schema}


def record(properties: Mapping[str, Json], optional: Sequence[str] = (), about: str = "") -> Json:
    """An object with these properties, all of them required but the optional ones."""
    required = [name for name in properties if name not in optional]
    schema: Json = {"type": "object", "properties": dict(properties), "required": required}
    return {**schema, "description": about} if about else schema


def query(name: str, schema: Json, about: str, **more: Any) -> Json:
    """A parameter of the query string."""
    return {"name": name, "in": "query", "description": about, "schema": schema, **more}


def header(name: str, schema: Json, about: str, **more: Any) -> Json:
    """A header of the request."""
    return {"name": name, "in": "header", "description": about, "schema": schema, **more}


def answer(about: str, schema: Json | None = None, **headers: str) -> Json:
    """A response in JSON, or one without a body; the headers by their names with underscores."""
    return contents(about, {"application/json": schema} if schema else {}, **headers)


def contents(about: str, schemas: Mapping[str, Json], **headers: str) -> Json:
    """A response in one of several media types."""
    response: Json = {"description": about}
    if headers:
        response["headers"] = {
            name.replace("_", "-"): {"description": text, "schema": TEXT}
            for name, text in headers.items()
        }
    if schemas:
        response["content"] = {name: {"schema": schema} for name, schema in schemas.items()}
    return response


def problem(about: str, schema: str = "Problem") -> Json:
    """A response that says what is wrong."""
    return contents(about, {problems.MEDIA_TYPE: reference(schema)})
