"""Filters: `column=operator.value` and lists of them, as conditions in SQL."""

import re

from pgrest_query.errors import QueryError
from pgrest_query.fields import (
    BLANKS,
    CLOSE,
    COMMA,
    Field,
    Fragment,
    Scanner,
    build,
    joined,
    shortened,
    take_field,
)
from pgrest_query.operators import operation
from pgrest_query.tables import Table

LOGIC = ("and", "or", "not.and", "not.or")
DEEPEST = 20  # levels of nested conditions
_LOGIC = re.compile(rf"{BLANKS}(?P<not>not\.)?(?P<joint>and|or){BLANKS}\(")
_DOT = re.compile(rf"{BLANKS}\.")


def condition(table: Table, name: str, text: str) -> Fragment:
    """The condition of the parameter `name=text`.

    Raises:
        QueryError: it says what is wrong and what would be right.
    """
    if name in LOGIC:
        if not text.lstrip(" \t").startswith("("):
            raise Scanner(text, f"{name}=").error("a list such as (column.eq.1,column.gt.2)")
        scanner = Scanner(f"{name}{text}")
        found = _node(table, scanner, 0)
    else:
        field = _filtered(table, name)
        scanner = Scanner(text, f"{name}=")
        found = operation(field, scanner, in_list=False)
    scanner.end()
    return found


def _filtered(table: Table, name: str) -> Field:
    scanner = Scanner(name)
    field = take_field(table, scanner)
    if scanner.position < len(name):
        raise QueryError(
            f"{shortened(name)!r} is neither a column nor a path into one such as record->>key; "
            "tables are not joined, and casts (::) are for select."
        )
    return field


def _node(table: Table, scanner: Scanner, depth: int) -> Fragment:
    """A filter, or several joined by and / or."""
    logic = scanner.take(_LOGIC)
    if logic is None:
        field = take_field(table, scanner)
        if not scanner.take(_DOT):
            raise scanner.error("column.operator.value")
        return operation(field, scanner, in_list=True)
    if depth >= DEEPEST:
        raise QueryError(f"Conditions may be nested {DEEPEST} levels deep, and no deeper.")
    parts = [_node(table, scanner, depth + 1)]
    while scanner.take(COMMA):
        parts.append(_node(table, scanner, depth + 1))
    if not scanner.take(CLOSE):
        raise scanner.error("a comma, or the bracket that closes the list,")
    whole = joined(f" {logic['joint']} ", [build("({})", part) for part in parts])
    return build("not ({})", whole) if logic["not"] else whole
