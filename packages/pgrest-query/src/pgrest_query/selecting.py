"""What is selected: `select=` as SQL."""

import re
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from pgrest_query.errors import QueryError
from pgrest_query.fields import (
    BLANKS,
    COMMA,
    NAME,
    Field,
    Fragment,
    Scanner,
    build,
    identifier,
    take_field,
    unquoted,
)
from pgrest_query.tables import CASTS, LONGEST_NAME, Table, kind

# The functions, and the kinds of type that each is not for.
_AGGREGATES = {
    "count": (),
    "sum": ("text", "boolean", "json", "time", "array", "range", "search"),
    "avg": ("text", "boolean", "json", "time", "array", "range", "search"),
    "min": ("boolean", "json", "range", "search"),
    "max": ("boolean", "json", "range", "search"),
}
_STAR = re.compile(rf"{BLANKS}\*{BLANKS}(?=,|\Z)")
_ALIAS = re.compile(rf"(?s){BLANKS}(?P<name>{NAME}):(?!:)")
_COUNT = re.compile(rf"{BLANKS}count\(\)")
_OLD_COUNT = re.compile(rf"{BLANKS}count{BLANKS}(?=,|::|\Z)")
_CAST = re.compile(r"::(?P<type>[\w ]+)")
_CALL = re.compile(r"\.(?P<function>\w+)\(\)")
_END = re.compile(rf"{BLANKS}(?=,|\Z)")


@dataclass(frozen=True)
class Output:
    """A column of the answer, and the type of its values.

    `field` is what it shows unchanged, None if it is cast or summed up.
    """

    name: str
    expression: Fragment
    data_type: str
    field: Field | None = None
    is_aggregate: bool = False

    @cached_property
    def item(self) -> Fragment:
        """It in the list of `select`."""
        return build("{} as {}", self.expression, identifier(self.name))


def outputs(table: Table, text: str) -> tuple[Output, ...]:
    """The columns that `select=` asks for; none for an empty text.

    Raises:
        QueryError: it says what is wrong and what would be right.
    """
    scanner = Scanner(text, "select=")
    found: dict[str, Output] = {}
    named: set[str] = set()
    while text.strip():
        if scanner.take(_STAR):
            for output in _star(table):
                found.setdefault(output.name, output)
        else:
            output = _output(table, scanner)
            if output.name in named and output != found[output.name]:
                raise QueryError(
                    f"{scanner} gives two things the name {output.name}: "
                    "give one another name, as in total:x.sum()."
                )
            named.add(output.name)
            found[output.name] = output  # Where the star had one of that name, in its place.
        if not scanner.take(COMMA):
            break
    scanner.end()
    return tuple(found.values())


def _output(table: Table, scanner: Scanner) -> Output:
    alias = scanner.take(_ALIAS)
    output = _cast(_count(table, scanner) or _plain(take_field(table, scanner)), scanner)
    call = scanner.take(_CALL)
    if call:
        output = _cast(_aggregate(output, call["function"]), scanner)
    if not scanner.take(_END):
        if scanner.text.startswith("(", scanner.position):
            raise QueryError(
                f"{scanner}: tables are not joined, ask for each by itself; "
                f"of functions there are {_functions()}."
            )
        raise scanner.error("a comma")
    return replace(output, name=_cut(unquoted(alias["name"]) if alias else output.name))


@lru_cache(maxsize=200)
def _star(table: Table) -> tuple[Output, ...]:
    return tuple(_plain(Field(column)) for column in table.columns)


def _plain(field: Field) -> Output:
    return Output(field.name, field.expression(), field.data_type, field)


def _count(table: Table, scanner: Scanner) -> Output | None:
    """All rows, counted; `count` without brackets is how it was written in the past."""
    if scanner.take(_COUNT) or ("count" not in table.by_name and scanner.take(_OLD_COUNT)):
        return Output("count", build("count(*)"), "bigint", is_aggregate=True)
    return None


def _cast(output: Output, scanner: Scanner) -> Output:
    match = scanner.take(_CAST)
    if match is None:
        return output
    name = match["type"].strip().lower()
    if name not in CASTS:
        raise QueryError(
            f"{scanner}: there is no cast to {name!r}; "
            f"there are {', '.join(each for each in CASTS if not each.startswith('_'))}.",
            code="42704",
        )
    expression = build(f"cast({{}} as pg_catalog.{CASTS[name]})", output.expression)
    return replace(output, expression=expression, data_type=CASTS[name], field=None)


def _aggregate(output: Output, function: str) -> Output:
    if function not in _AGGREGATES or output.is_aggregate:
        raise QueryError(
            f"There is no {function}() of {output.name}; of functions there are {_functions()}."
        )
    if kind(output.data_type) in _AGGREGATES[function]:
        raise QueryError(
            f"{output.name} is of type {output.data_type}, which {function}() is not for; "
            f"a cast may help, as in {output.name}::numeric.{function}()."
        )
    expression = build(f"{function}({{}})", output.expression)
    return Output(function, expression, output.data_type, is_aggregate=True)


def _functions() -> str:
    return ", ".join(("count()", *(f"column.{function}()" for function in _AGGREGATES)))


def _cut(name: str) -> str:
    """A name as PostgreSQL has it: cut to 63 bytes, at the end of a letter."""
    if not name:
        raise QueryError('A name cannot be empty, as in "":column.')
    return name.encode()[:LONGEST_NAME].decode(errors="ignore")
