"""What is selected, and in which order: `select=` and `order=` as SQL."""

import re
from dataclasses import dataclass

from psycopg2 import sql

from api.web.marts.catalogue import Column, Mart
from api.web.marts.syntax import bad_query, column, names, split, unquoted

TABLE = "_mart"  # what the mart is called in the statement
_AGGREGATES = {name: sql.SQL(name) for name in ("count", "sum", "avg", "min", "max")}
_ALIAS = re.compile(r"[\w -]{1,63}")
_CALL = re.compile(r"(?s)(?:(?P<column>.*)\.)?(?P<function>\w+)\(\)")
_DIRECTIONS = {"asc": sql.SQL("asc"), "desc": sql.SQL("desc")}
_NULLS = {"nullsfirst": sql.SQL("nulls first"), "nullslast": sql.SQL("nulls last")}


@dataclass(frozen=True)
class Output:
    """A column of the answer: its name, what it is in SQL, and whether it sums up many rows."""

    name: str
    expression: sql.Composable
    is_aggregate: bool = False


def outputs(mart: Mart, text: str) -> list[Output]:
    """The columns that `select=` asks for.

    Raises:
        Problem: 400; it says what is wrong and what would be right.
    """
    found: list[Output] = []
    for part in split(text or "*"):
        if part.strip() == "*":
            found += [_plain(each) for each in mart.columns]
        else:
            found.append(_output(mart, part.strip()))
    if len({output.name for output in found}) < len(found):
        raise bad_query(
            f"select={text} names a column twice: give one another name, as in total:x.sum()."
        )
    return found


def is_grouped(selected: list[Output]) -> bool:
    """Whether rows are summed up."""
    return any(output.is_aggregate for output in selected)


def ordering(mart: Mart, selected: list[Output], text: str) -> list[sql.Composable]:
    """The terms that `order=` asks for; of summed up rows, only what is selected can be ordered."""
    known = {output.name: output.expression for output in selected}
    terms: list[sql.Composable] = []
    for part in split(text) if text else []:
        name, *words = split(part.strip(), ".")
        if is_grouped(selected):
            if unquoted(name) not in known:
                raise bad_query(f"order={name}: order what is selected, one of {names(known)}.")
            expression = known[unquoted(name)]
        else:
            expression = _expression(column(mart, name))
        terms.append(sql.SQL("{} {}").format(expression, _direction(part, words)))
    return terms


def _output(mart: Mart, part: str) -> Output:
    pieces = split(part, ":")
    if len(pieces) > 2:
        raise bad_query(f"select={part}: write column or name:column; there are no casts (::).")
    alias = unquoted(pieces[0].strip()) if len(pieces) == 2 else None
    if alias is not None and not _ALIAS.fullmatch(alias):
        raise bad_query(f"select={part}: a name is up to 63 letters, digits, - and _.")
    expression = pieces[-1].strip()
    call = _CALL.fullmatch(expression)
    if call:
        return _aggregate(mart, call["column"], call["function"], alias)
    if "(" in expression:
        raise bad_query(f"select={part}: marts are not joined; ask for each by itself.")
    return _plain(column(mart, expression), alias)


def _plain(wanted: Column, alias: str | None = None) -> Output:
    # Text of type json may hold line breaks, which end a row in some of the answers.
    expression = _expression(wanted)
    if wanted.data_type == "json":
        expression = sql.SQL("{}::jsonb").format(expression)
    return Output(alias or wanted.name, expression)


def _expression(wanted: Column) -> sql.Composable:
    # Qualified: order by would take a bare name for that of an output first.
    return sql.Identifier(TABLE, wanted.name)


def _aggregate(mart: Mart, name: str | None, function: str, alias: str | None) -> Output:
    if function not in _AGGREGATES or (name is None and function != "count"):
        raise bad_query(
            f"There is no {function}() of {name or 'rows'}; there are count() and "
            f"{names(f'column.{each}()' for each in _AGGREGATES)}."
        )
    if name is None:
        return Output(alias or function, sql.SQL("count(*)"), is_aggregate=True)
    wanted = column(mart, name)
    if function in ("sum", "avg") and not wanted.is_number:
        raise bad_query(f"{wanted.name} is of type {wanted.data_type}; {function}() is of numbers.")
    expression = sql.SQL("{}({})").format(_AGGREGATES[function], _expression(wanted))
    return Output(alias or function, expression, is_aggregate=True)


def _direction(part: str, words: list[str]) -> sql.Composable:
    """What follows the column: nothing, or asc or desc, and then where nulls come."""
    way, nulls = _DIRECTIONS["asc"], sql.SQL("")
    rest = [*words]
    if rest and rest[0] in _DIRECTIONS:
        way = _DIRECTIONS[rest.pop(0)]
    if rest and rest[0] in _NULLS:
        nulls = _NULLS[rest.pop(0)]
    if rest:
        raise bad_query(
            f"order={part}: after the column comes .asc or .desc, .nullsfirst or .nullslast."
        )
    return sql.SQL("{} {}").format(way, nulls)
