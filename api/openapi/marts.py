"""The paths of the marts: what their contracts and the query language let one ask."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from pgrest_query import LOGIC, OPERATORS

from api.marts import media
from elute.database.builds import Column, Mart

Json = dict[str, Any]
_RESULTS = "user_summary"
_TEXT: Json = {"type": "string"}
_BYTES: Json = {"type": "string", "format": "binary"}
_WHOLE: Json = {"type": "integer", "format": "int64"}
_KEY = re.compile(r"[A-Za-z0-9._-]+")  # what OpenAPI lets a component be called
_NAMES = "|".join((*OPERATORS, r"\w+\((any|all)\)"))
_FILTER: Json = {"type": "string", "pattern": rf"^(not\.)?({_NAMES})\."}
_TYPES: dict[str, Json] = {
    "bigint": _WHOLE,
    "integer": _WHOLE,
    "smallint": _WHOLE,
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "jsonb": {},
    "json": {},
}


def paths(marts: Mapping[str, Mart], fixed: Json) -> dict[str, Json]:
    """What can be asked of the marts, by path.

    Args:
        marts: those that are served, by name.
        fixed: the document in fixed.yaml, with what is the same for all marts.
    """
    found: dict[str, Json] = {}
    for name, mart in marts.items():
        summary = f"Rows of {name}, in the query language of PostgREST."
        part = quote(name)
        found[f"/marts/{part}"] = _rows(mart, f"marts_{name}", summary, fixed)
        found[f"/marts/{part}"]["get"]["description"] = mart.description
        found[f"/marts/{part}/histogram"] = _histogram(mart, fixed)
        found[f"/download/{part}.{{extension}}"] = _download(mart, fixed)
    if _RESULTS in marts:
        mart = marts[_RESULTS]
        summary = "Rows of user_summary, ready for pandas.read_json."
        found["/etl-results"] = _rows(mart, "etl_results", summary, fixed)
        found["/etl-results/{user_id}"] = _one_row(mart, fixed)
    return found


def schemas(marts: Mapping[str, Mart]) -> dict[str, Json]:
    """A schema of each mart's rows."""
    return {_row_key(name): _row(mart) for name, mart in marts.items()}


def _get(name: str, summary: str, parameters: list[Json], responses: Json) -> Json:
    return {
        "get": {
            "operationId": f"get_{name}",
            "tags": ["marts"],
            "summary": summary,
            "parameters": parameters,
            "responses": {status: responses[status] for status in sorted(responses)},
        }
    }


def _rows(mart: Mart, name: str, summary: str, fixed: Json) -> Json:
    contents = _contents(mart, fixed)
    responses = {
        **fixed["x-responses"]["rows"],
        "200": {"description": "The rows; all of them, if they are counted.", **contents},
        "206": {"description": "Some of the rows that were counted.", **contents},
    }
    parameters = [
        *_query(mart, fixed, without=("as_of",)),
        *_shared(fixed, "as_of", "accept_datetime"),
    ]
    return _get(name, summary, parameters, responses)


def _one_row(mart: Mart, fixed: Json) -> Json:
    rows = {kind: {"schema": _any_row(mart)} for kind in (*media.ARRAYS, *media.OBJECTS)}
    headers = {"ETag": fixed["x-headers"]["ETag"]}
    key = {"name": "user_id", "in": "path", "required": True}
    parameters = [
        {**key, "schema": _type(mart.by_name["user_id"])},
        *_shared(fixed, "select"),
        *_filters(mart),
        *_shared(fixed, "if_none_match", "if_modified_since"),
    ]
    row = {"description": "The row.", "headers": headers, "content": rows}
    responses = {**fixed["x-responses"]["row"], "200": row}
    return _get("etl_results_user_id", "The row of one user.", parameters, responses)


def _histogram(mart: Mart, fixed: Json) -> Json:
    numbers = [column.name for column in mart.columns if column.is_number]
    return _get(
        f"marts_{mart.name}_histogram",
        "Count the rows by the value of a numeric column, in about `bins` steps.",
        [
            _parameter("column", {"type": "string", "enum": numbers}, "Which column.", True),
            *_shared(fixed, "bins"),
            *_filters(mart, without=("column", "bins")),
        ],
        fixed["x-responses"]["histogram"],
    )


def _download(mart: Mart, fixed: Json) -> Json:
    kinds = sorted(kind.partition(";")[0] for kind in media.EXTENSIONS.values())
    content = {kind: _contents(mart, fixed)["content"][kind] for kind in kinds}
    file = {"description": "The rows, as a file to save.", "content": content}
    extension = {"type": "string", "enum": sorted(media.EXTENSIONS)}
    return _get(
        f"download_{mart.name}",
        f"The rows of /marts/{mart.name}, with the same query, as a file to save.",
        [
            {"name": "extension", "in": "path", "required": True, "schema": extension},
            *_query(mart, fixed),
        ],
        {**fixed["x-responses"]["file"], "200": file, "206": file},
    )


def _contents(mart: Mart, fixed: Json) -> Json:
    rows = {"schema": {"type": "array", "items": _any_row(mart)}}
    return {
        "headers": fixed["x-headers"],
        "content": {
            **dict.fromkeys(media.ARRAYS, rows),
            **{kind: {"schema": _any_row(mart)} for kind in media.OBJECTS},
            media.CSV: {"schema": _TEXT},
            media.NDJSON: {"schema": _TEXT},
            **{kind: {"schema": _BYTES} for kind in media.BINARY},
        },
    }


def _any_row(mart: Mart) -> Json:
    """A row as it is, or as `select` has changed it."""
    schema = f"#/components/schemas/{_row_key(mart.name)}"
    return {"anyOf": [{"$ref": schema}, {"type": "object"}]}


def _row_key(name: str) -> str:
    """What the schema of a mart's rows is called; of no two marts the same."""
    if _KEY.fullmatch(name):
        return f"{name}_row"
    encoded = quote(name, safe="").replace(".", "%2E").replace("~", "%7E")
    return f"{encoded}.row".replace("%", ".")  # No plain name gives a key with this end.


def _row(mart: Mart) -> Json:
    properties = {}
    for column in mart.columns:
        schema = _type(column)
        if column.nullable and "type" in schema:
            schema = {**schema, "type": [schema["type"], "null"]}
        unit = f" Unit: {column.unit}." if column.unit else ""
        properties[column.name] = {**schema, "description": column.description + unit}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "description": mart.description,
    }


def _type(column: Column) -> Json:
    return _TYPES.get(column.data_type, {"type": "number"} if column.is_number else _TEXT)


def _query(mart: Mart, fixed: Json, without: tuple[str, ...] = ()) -> Iterator[Json]:
    """Which rows and columns, in which order; and what the client has already."""
    yield from _shared(fixed, "select")
    about = f"Such as {mart.columns[0].name}.desc.nullslast. Columns: {', '.join(mart.by_name)}."
    yield _parameter("order", _TEXT, about)
    yield from _shared(fixed, "limit", "offset")
    example = f"({mart.columns[0].name}.is.null,{mart.columns[-1].name}.not.is.null)"
    for tree in LOGIC:
        yield _parameter(tree, _TEXT, f"Filters together, such as {example}.")
    yield from _filters(mart, without)
    yield from _shared(fixed, "range", "prefer", "if_none_match", "if_modified_since")


def _filters(mart: Mart, without: tuple[str, ...] = ()) -> Iterator[Json]:
    taken = {"select", "order", "limit", "offset", *LOGIC, *without}
    for column in mart.columns:
        if column.name not in taken:
            about = f"Filter, {column.data_type}: {column.description}"
            yield _parameter(column.name, _FILTER, about)


def _shared(fixed: Json, *names: str) -> list[Json]:
    return [fixed["x-parameters"][name] for name in names]


def _parameter(name: str, schema: Json, about: str, is_required: bool = False) -> Json:
    found = {"name": name, "in": "query", "description": about, "schema": schema}
    return {**found, "required": True} if is_required else found
