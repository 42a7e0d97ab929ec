"""Rows as CSV, as COPY writes them."""

import json

from pgrest_query import Query


def as_csv(query: Query, text: str | None) -> str:
    """A page of rows below their names: null is nothing, and an empty text a pair of quotes."""
    lines = [query.columns, *json.loads(text or "[]")]
    return "".join(",".join(map(_csv_field, line)) + "\n" for line in lines)


def _csv_field(value: str | None) -> str:
    if value is None:
        return ""
    if value in ("", "\\.") or any(sign in value for sign in ',"\r\n'):
        return '"{}"'.format(value.replace('"', '""'))
    return value
