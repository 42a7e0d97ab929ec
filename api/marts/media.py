"""The media types that rows are served in, and which of them a client takes."""

from flask import request

from api.problems import Problem

JSON = "application/json"
OBJECT = "application/vnd.pgrst.object+json"
CSV = "text/csv"
SPREADSHEET = f"{CSV}; header=present"  # CSV that is not exact, but does no harm in one
NDJSON = "application/x-ndjson"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PARQUET = "application/vnd.apache.parquet"
ARROWS = (PARQUET, "application/vnd.apache.arrow.stream")
_WITHOUT_NULLS = ";nulls=stripped"
JSON_WITHOUT_NULLS = f"application/vnd.pgrst.array+json{_WITHOUT_NULLS}"
OBJECT_WITHOUT_NULLS = f"{OBJECT}{_WITHOUT_NULLS}"
ARRAYS = (JSON, JSON_WITHOUT_NULLS)
OBJECTS = (OBJECT, OBJECT_WITHOUT_NULLS)
AS_JSON = (*ARRAYS, *OBJECTS, NDJSON)
BINARY = (XLSX, *ARROWS)
MEDIA_TYPES = (JSON, OBJECT, CSV, NDJSON, JSON_WITHOUT_NULLS, OBJECT_WITHOUT_NULLS, *BINARY)
# Of files to save.
EXTENSIONS = {
    "csv": SPREADSHEET,
    "json": JSON,
    "ndjson": NDJSON,
    "xlsx": XLSX,
    **dict(zip(("parquet", "arrows"), ARROWS, strict=True)),
}
# As clients of PostgREST write it, too.
_OTHER_NAMES = {
    "application/vnd.pgrst.object": OBJECT,
    "application/vnd.pgrst.array": JSON,
    "application/vnd.pgrst.array+json": JSON,
    "*": "*/*",
}
_STRIPPED = {JSON: JSON_WITHOUT_NULLS, OBJECT: OBJECT_WITHOUT_NULLS}


def negotiated(*offered: str) -> str:
    """The offered media type that `Accept` prefers (RFC 9110, 12.5.1); the first of equals.

    Of its parameters only PostgREST's `nulls=stripped` matters, not such as `charset`.

    Raises:
        Problem: 406, it accepts none of them.
    """
    accept = request.headers.get("Accept", "")
    wanted = dict(map(_range, accept.split(","))) if accept.strip() else {"*/*": 1.0}
    best = max(offered, key=lambda media_type: _quality(media_type, wanted))
    if _quality(best, wanted) > 0:
        return best
    detail = f"None of {accept!r} can be had here; there are {', '.join(offered)}."
    raise not_acceptable("No such media type", detail)


def not_acceptable(title: str, detail: str) -> Problem:
    """406, as clients of PostgREST read it, too."""
    return Problem(406, title, detail, code="PGRST107", message=detail, details=None, hint=None)


def _range(text: str) -> tuple[str, float]:
    """A part of the header: a media type or range, and its quality value."""
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    quality = next((part[2:] for part in parameters if part.startswith("q=")), "1")
    known = _OTHER_NAMES.get(name, name)
    if name.startswith("application/vnd.pgrst.") and "nulls=stripped" in parameters:
        known = _STRIPPED.get(known, known)
    try:
        return known, float(quality)
    except ValueError:
        return known, 1.0


def _quality(media_type: str, wanted: dict[str, float]) -> float:
    """The quality value of a media type, by the most specific range that matches it."""
    for name in (media_type, f"{media_type.partition('/')[0]}/*", "*/*"):
        if name in wanted:
            return wanted[name]
    return 0.0


def row_expression(media_type: str) -> str:
    """A row `_row` as JSON, in SQL."""
    row = "row_to_json(_row)"
    return f"json_strip_nulls({row})" if media_type.endswith(_WITHOUT_NULLS) else row
