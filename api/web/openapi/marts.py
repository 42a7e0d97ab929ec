"""The operations that serve marts: what their contracts and the query language let one ask."""

from collections.abc import Iterator

from pgrest_query import LOGIC, OPERATORS

from api.web.dashboard import downloads
from api.web.marts import catalogue, media
from api.web.marts.catalogue import Column, Mart
from api.web.openapi.parts import (
    BOOLEAN,
    TEXT,
    WHOLE,
    Json,
    Operation,
    answer,
    contents,
    header,
    list_of,
    nullable,
    problem,
    query,
    record,
    reference,
)

_LARGEST = {**WHOLE, "minimum": 0}
_NAMES = "|".join((*OPERATORS, r"\w+\((any|all)\)"))
_FILTER: Json = {"type": "string", "pattern": rf"^(not\.)?({_NAMES})\."}
_TYPES: dict[str, Json] = {
    "bigint": WHOLE,
    "integer": WHOLE,
    "smallint": WHOLE,
    "boolean": BOOLEAN,
    "date": {"type": "string", "format": "date"},
    "jsonb": {},
    "json": {},
}
_PLANS = "Write count=exact to have the rows counted, in Content-Range."
_ROWS_HEADERS = {
    "ETag": "The build and the question.",
    "Content_Range": "Which rows of how many, such as 0-49/1000; * if they are not counted.",
}


def schemas() -> dict[str, Json]:
    """A schema of each mart's rows, by the name that `row_of` refers to."""
    return {f"{mart.name}_row": _row(mart) for mart in catalogue.marts().values()}


def rows(mart: Mart) -> Operation:
    """Rows of a mart, filtered, ordered and cut to pages."""
    return Operation("marts", _rows_answers(mart), [*_shape(mart), *_filters(mart), *_HEADERS])


def one_row(mart: Mart, key: str) -> Operation:
    """The row of a mart with this key."""
    forms = {form.media_type: _any_row(mart) for form in (media.JSON, media.OBJECT)}
    return Operation(
        "marts",
        {
            200: contents("The row.", forms, ETag=_ROWS_HEADERS["ETag"]),
            304: answer("The client has it already."),
            400: _BAD_QUERY,
            404: problem("There is no such row.", "QueryProblem"),
            406: _NO_FORM,
            503: _NOT_BUILT,
        },
        [_SELECT, *_filters(mart), *_CONDITIONS],
        path={key: _type(mart.by_name[key])},
    )


def explanation() -> Operation:
    """The records behind a row."""
    return Operation(
        "marts",
        {
            200: answer("The records that the row is made of.", reference("Explanation")),
            404: problem("There is no such row.", "QueryProblem"),
            503: _NOT_BUILT,
        },
        path={"user_id": WHOLE},
    )


def listing() -> Operation:
    """Which marts there are."""
    return Operation(
        "marts", {200: answer("The marts.", list_of(reference("Mart"))), 503: _NOT_BUILT}
    )


def histogram(mart: Mart) -> Operation:
    """How the values of a column are distributed."""
    numbers = [column.name for column in mart.columns if column.is_number]
    return Operation(
        "marts",
        {
            200: answer("The bins, without a gap.", reference("Histogram")),
            400: _BAD_QUERY,
            503: _NOT_BUILT,
        },
        [
            query("column", {"type": "string", "enum": numbers}, "Which column.", required=True),
            query("bins", {"type": "integer", "minimum": 1, "maximum": 200}, "About how many."),
            *_filters(mart, without=("column", "bins")),
        ],
    )


def download(mart: Mart) -> Operation:
    """The rows as a file."""
    schemas = _schemas(mart)
    forms = {form: schemas[form] for form in sorted(downloads.FORMATS.values())}
    file = contents("The rows, as a file to save.", forms)
    return Operation(
        "marts",
        {**_rows_answers(mart), 200: file, 206: file, 404: problem("There is no such form.")},
        [*_shape(mart), *_filters(mart), *_HEADERS],
        path={"ending": {"type": "string", "enum": sorted(downloads.FORMATS)}},
    )


def _schemas(mart: Mart) -> dict[str, Json]:
    return {
        media.JSON.media_type: list_of(_any_row(mart)),
        media.OBJECT.media_type: _any_row(mart),
        media.CSV.media_type: TEXT,
        media.NDJSON.media_type: TEXT,
    }


def _rows_answers(mart: Mart) -> dict[int, Json]:
    schemas = _schemas(mart)
    return {
        200: contents("The rows; all of them, if they are counted.", schemas, **_ROWS_HEADERS),
        206: contents("Some of the rows that were counted.", schemas, **_ROWS_HEADERS),
        304: answer("The client has them already."),
        400: _BAD_QUERY,
        406: _NO_FORM,
        416: problem("The first row asked for comes after the last one.", "QueryProblem"),
        503: _NOT_BUILT,
        507: problem("The disk is full, so no large answer can be made."),
    }


def _any_row(mart: Mart) -> Json:
    """A row as it is, or as `select` has changed it."""
    return {"anyOf": [reference(f"{mart.name}_row"), {"type": "object"}]}


def _row(mart: Mart) -> Json:
    properties = {}
    for column in mart.columns:
        schema = _type(column)
        typed = nullable(schema) if column.nullable and schema else schema
        properties[column.name] = {**typed, "description": column.description}
    return record(properties, about=mart.description)


def _type(column: Column) -> Json:
    return _TYPES.get(column.data_type) or ({"type": "number"} if column.is_number else TEXT)


def _shape(mart: Mart) -> Iterator[Json]:
    names = ", ".join(mart.by_name)
    yield _SELECT
    yield query("order", TEXT, f"Such as {mart.columns[0].name}.desc.nullslast. Columns: {names}.")
    yield query("limit", _LARGEST, "Rows at most.")
    yield query("offset", _LARGEST, "Rows to leave out first.")
    for tree in LOGIC:
        example = f"({mart.columns[0].name}.is.null,{mart.columns[-1].name}.not.is.null)"
        yield query(tree, TEXT, f"Filters together, such as {example}.")


def _filters(mart: Mart, without: tuple[str, ...] = ()) -> Iterator[Json]:
    taken = {"select", "order", "limit", "offset", *LOGIC, *without}
    for column in mart.columns:
        if column.name not in taken:
            yield query(column.name, _FILTER, f"Filter, {column.data_type}: {column.description}")


_SELECT = query("select", TEXT, "Columns, as a,b, other names as x:a, and sums as count(),a.avg().")
_IF_NONE_MATCH = header("If-None-Match", TEXT, "ETags that the client has already.")
_CONDITIONS = (_IF_NONE_MATCH, header("If-Modified-Since", TEXT, "Only if published later."))
_HEADERS = (
    header("Range", TEXT, "Rows, such as 0-49."),
    header("Prefer", TEXT, _PLANS),
    *_CONDITIONS,
)
_BAD_QUERY = problem("The query is not understood.", "QueryProblem")
_NO_FORM = problem("None of what Accept names is to be had, or it is not one row.", "QueryProblem")
_NOT_BUILT = problem("No database, or nothing has been built yet.", "QueryProblem")
