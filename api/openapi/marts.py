"""The paths of the marts: what their contracts and the query language let one ask."""

from collections.abc import Iterator, Mapping
from typing import Any

from pgrest_query import LOGIC, OPERATORS

from api.marts import media
from elute.database.builds import Column, Mart

Json = dict[str, Any]
_RESULTS = "user_summary"
_TEXT: Json = {"type": "string"}
_BYTES: Json = {"type": "string", "format": "binary"}
_WHOLE: Json = {"type": "integer", "format": "int64"}
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


def paths(marts: Mapping[str, Mart], responses: Mapping[str, Json]) -> dict[str, Json]:
    """What can be asked of the marts, by path.

    Args:
        marts: those that are served, by name.
        responses: the responses that fixed.yaml names.
    """
    found: dict[str, Json] = {}
    for name, mart in marts.items():
        found[f"/marts/{name}"] = _get(
            f"marts_{name}",
            f"Rows of {name}, in the query language of PostgREST.",
            [*_shape(mart), *_filters(mart), *_HEADERS, *_PAST],
            _of_any_time(mart, responses),
        )
        found[f"/marts/{name}"]["get"]["description"] = mart.description
        found[f"/marts/{name}/histogram"] = _histogram(mart, responses)
        found[f"/download/{name}.{{extension}}"] = _download(mart, responses)
    if _RESULTS in marts:
        mart = marts[_RESULTS]
        found["/etl-results"] = _get(
            "etl_results",
            "Rows of user_summary, ready for pandas.read_json.",
            [*_shape(mart), *_filters(mart), *_HEADERS, *_PAST],
            _of_any_time(mart, responses),
        )
        found["/etl-results/{user_id}"] = _one_row(mart, responses)
    return found


def schemas(marts: Mapping[str, Mart]) -> dict[str, Json]:
    """A schema of each mart's rows."""
    return {f"{name}_row": _row(mart) for name, mart in marts.items()}


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


def _query_responses(responses: Mapping[str, Json]) -> Json:
    return {
        **responses["reading"],
        "400": responses["bad_query"],
        "503": responses["not_built"],
    }


def _rows(mart: Mart, responses: Mapping[str, Json]) -> Json:
    contents = _contents(mart)
    return {
        **_query_responses(responses),
        "200": {"description": "The rows; all of them, if they are counted.", **contents},
        "206": {"description": "Some of the rows that were counted.", **contents},
        "304": responses["unchanged"],
        "406": responses["not_acceptable"],
        "416": responses["range_not_satisfiable"],
    }


def _of_any_time(mart: Mart, responses: Mapping[str, Json]) -> Json:
    return {
        **_rows(mart, responses),
        "302": responses["redirected"],
        "404": responses["no_such_build"],
    }


def _one_row(mart: Mart, responses: Mapping[str, Json]) -> Json:
    rows = {kind: {"schema": _any_row(mart)} for kind in (media.JSON, media.OBJECT)}
    key: Json = {"name": "user_id", "in": "path", "required": True}
    return _get(
        "etl_results_user_id",
        "The row of one user.",
        [{**key, "schema": _type(mart.by_name["user_id"])}, _SELECT, *_filters(mart), *_CONDITIONS],
        {
            **_query_responses(responses),
            "200": {"description": "The row.", "headers": {"ETag": _ETAG}, "content": rows},
            "304": responses["unchanged"],
            "404": responses["no_such_row"],
            "406": responses["not_acceptable"],
        },
    )


def _histogram(mart: Mart, responses: Mapping[str, Json]) -> Json:
    numbers = [column.name for column in mart.columns if column.is_number]
    bins = {"schema": {"$ref": "#/components/schemas/Histogram"}}
    return _get(
        f"marts_{mart.name}_histogram",
        "Count the rows by the value of a numeric column, in about `bins` steps.",
        [
            _query("column", {"type": "string", "enum": numbers}, "Which column.", required=True),
            _query("bins", {"type": "integer", "minimum": 1, "maximum": 200}, "About how many."),
            *_filters(mart, without=("column", "bins")),
        ],
        {
            **_query_responses(responses),
            "200": {
                "description": "The bins, without a gap.",
                "content": {"application/json": bins},
            },
        },
    )


def _download(mart: Mart, responses: Mapping[str, Json]) -> Json:
    kinds = sorted(kind.partition(";")[0] for kind in media.EXTENSIONS.values())
    content = {kind: _contents(mart)["content"][kind] for kind in kinds}
    file = {"description": "The rows, as a file to save.", "content": content}
    extension = {"type": "string", "enum": sorted(media.EXTENSIONS)}
    return _get(
        f"download_{mart.name}",
        f"The rows of /marts/{mart.name}, with the same query, as a file to save.",
        [
            {"name": "extension", "in": "path", "required": True, "schema": extension},
            *_shape(mart),
            *_filters(mart),
            *_HEADERS,
        ],
        {**_rows(mart, responses), "200": file, "206": file, "404": responses["no_such_file"]},
    )


def _contents(mart: Mart) -> Json:
    rows = {"schema": {"type": "array", "items": _any_row(mart)}}
    return {
        "headers": {"ETag": _ETAG, "Content-Range": _CONTENT_RANGE},
        "content": {
            media.JSON: rows,
            media.OBJECT: {"schema": _any_row(mart)},
            media.CSV: {"schema": _TEXT},
            media.NDJSON: {"schema": _TEXT},
            **{kind: {"schema": _BYTES} for kind in media.BINARY},
        },
    }


def _any_row(mart: Mart) -> Json:
    """A row as it is, or as `select` has changed it."""
    return {"anyOf": [{"$ref": f"#/components/schemas/{mart.name}_row"}, {"type": "object"}]}


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


def _shape(mart: Mart) -> Iterator[Json]:
    names = ", ".join(mart.by_name)
    yield _SELECT
    yield _query(
        "order", _TEXT, f"Such as {mart.columns[0].name}.desc.nullslast. Columns: {names}."
    )
    yield _query("limit", _COUNT, "Rows at most.")
    yield _query("offset", _COUNT, "Rows to leave out first.")
    for tree in LOGIC:
        example = f"({mart.columns[0].name}.is.null,{mart.columns[-1].name}.not.is.null)"
        yield _query(tree, _TEXT, f"Filters together, such as {example}.")


def _filters(mart: Mart, without: tuple[str, ...] = ()) -> Iterator[Json]:
    taken = {"select", "order", "limit", "offset", *LOGIC, *without}
    for column in mart.columns:
        if column.name not in taken:
            yield _query(column.name, _FILTER, f"Filter, {column.data_type}: {column.description}")


def _query(name: str, schema: Json, about: str, **more: Any) -> Json:
    return {"name": name, "in": "query", "description": about, "schema": schema, **more}


def _header(name: str, about: str) -> Json:
    return {"name": name, "in": "header", "description": about, "schema": _TEXT}


_COUNT = {**_WHOLE, "minimum": 0}
_SELECT = _query(
    "select", _TEXT, "Columns, as a,b, other names as x:a, and sums as count(),a.avg()."
)
_CONDITIONS = (
    _header("If-None-Match", "ETags that the client has already."),
    _header("If-Modified-Since", "Only if published later."),
)
_HEADERS = (
    _header("Range", "Rows, such as 0-49."),
    _header("Prefer", "Write count=exact to have the rows counted, in Content-Range."),
    *_CONDITIONS,
)
_PAST = (
    _query("as_of", _TEXT, "Rows as they were at a time, such as 2026-11-20T06:00."),
    _header("Accept-Datetime", "The same as a date of HTTP (RFC 7089)."),
)
_ETAG: Json = {"description": "The build and the request.", "schema": _TEXT}
_CONTENT_RANGE: Json = {
    "description": "Which rows of how many, such as 0-49/1000; * if they are not counted.",
    "schema": _TEXT,
}
