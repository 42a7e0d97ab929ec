"""In which order: `order=` as SQL."""

import re

from pgrest_query.errors import QueryError
from pgrest_query.fields import (
    BLANKS,
    COMMA,
    NAMED,
    Fragment,
    Scanner,
    build,
    take_field,
    unquoted,
)
from pgrest_query.selecting import Output
from pgrest_query.tables import Table

_DIRECTION = re.compile(
    rf"(?:\.(?P<way>asc|desc))?(?:\.nulls(?P<nulls>first|last))?{BLANKS}(?=,|\Z)"
)


def ordering(table: Table, selected: tuple[Output, ...], text: str) -> tuple[Fragment, ...]:
    """The terms that `order=` asks for; of rows summed up, only what is selected can be ordered.

    Raises:
        QueryError: it says what is wrong and what would be right.
    """
    scanner = Scanner(text, "order=")
    terms: list[Fragment] = []
    while text.strip():
        if any(output.is_aggregate for output in selected):
            expression = _selected(table, selected, scanner)
        else:
            expression = take_field(table, scanner).expression()
        terms.append(_directed(expression, scanner))
        if not scanner.take(COMMA):
            break
    scanner.end()
    return tuple(terms)


def _selected(table: Table, selected: tuple[Output, ...], scanner: Scanner) -> Fragment:
    """The output that is ordered by: the one that shows this column, or has this name."""
    start = scanner.position
    try:
        field = take_field(table, scanner)
    except QueryError:
        field = None
    for number, output in enumerate(selected, start=1):
        if field is not None and output.field == field:
            return Fragment(str(number))
    scanner.position = start
    match = scanner.take(NAMED)
    names = [output.name for output in selected]
    if match is None or unquoted(match["name"]) not in names:
        raise QueryError(f"{scanner}: order what is selected, one of {', '.join(names)}.")
    return Fragment(str(names.index(unquoted(match["name"])) + 1))


def _directed(expression: Fragment, scanner: Scanner) -> Fragment:
    """What follows the column: nothing, or asc or desc, and then where nulls come."""
    match = scanner.take(_DIRECTION)
    if match is None:
        raise scanner.error(".asc or .desc, then .nullsfirst or .nullslast, or a comma")
    nulls = f" nulls {match['nulls']}" if match["nulls"] else ""
    return build(f"{{}} {match['way'] or 'asc'}{nulls}", expression)
