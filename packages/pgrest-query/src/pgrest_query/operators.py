"""What follows the column in a filter, `operator.value`, as a condition in SQL."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from pgrest_query.errors import QueryError
from pgrest_query.fields import (
    BLANKS,
    CLOSE,
    QUOTED,
    Doubt,
    Field,
    Fragment,
    Scanner,
    build,
    joined,
    placeholder,
    unquoted,
)
from pgrest_query.tables import kind


class _Comparison(NamedTuple):
    """An operator of PostgreSQL, and the kinds of type that it is for, all if it names none."""

    symbol: str
    kinds: tuple[str, ...] = ()
    takes_any: bool = False  # and all


_COMPARISONS: Mapping[str, _Comparison] = {
    "eq": _Comparison("=", takes_any=True),
    "neq": _Comparison("<>"),
    "gt": _Comparison(">", takes_any=True),
    "gte": _Comparison(">=", takes_any=True),
    "lt": _Comparison("<", takes_any=True),
    "lte": _Comparison("<=", takes_any=True),
    "like": _Comparison("like", ("text",), takes_any=True),
    "ilike": _Comparison("ilike", ("text",), takes_any=True),
    "match": _Comparison("~", ("text",), takes_any=True),
    "imatch": _Comparison("~*", ("text",), takes_any=True),
    "isdistinct": _Comparison("is distinct from"),
    "cs": _Comparison("@>", ("json", "array", "range")),
    "cd": _Comparison("<@", ("json", "array", "range")),
    "ov": _Comparison("&&", ("array", "range")),
    "sl": _Comparison("<<", ("range",)),
    "sr": _Comparison(">>", ("range",)),
    "nxr": _Comparison("&<", ("range",)),
    "nxl": _Comparison("&>", ("range",)),
    "adj": _Comparison("-|-", ("range",)),
}
_SEARCHES = {
    "fts": "to_tsquery",
    "plfts": "plainto_tsquery",
    "phfts": "phraseto_tsquery",
    "wfts": "websearch_to_tsquery",
}
_SEARCHED = ("text", "json", "search")
OPERATORS = (*_COMPARISONS, *_SEARCHES, "in", "is")
_STATES = {
    "null": "is null",
    "not_null": "is not null",
    "true": "is true",
    "false": "is false",
    "unknown": "is unknown",
}
_HEAD = re.compile(r"(?P<not>not\.)?(?P<name>[a-z]+)(?:\((?P<argument>[\w $]+)\))?\.")
_ALONE = re.compile(r"(?s).*")
_IN_LIST = re.compile(
    rf"(?s){BLANKS}(?P<quoted>{QUOTED}){BLANKS}(?=[,)])|\{{[^{{}}]*\}}(?=[,)])|[^,)]*"
)
_STATE = re.compile(r"\w+")
_OPEN = re.compile(rf"\({BLANKS}")
_COMMA = re.compile(",")
_ELEMENT = re.compile(rf"(?s)(?P<quoted>{BLANKS}{QUOTED}{BLANKS})(?=[,)])|[^,)]*")


def operation(field: Field, scanner: Scanner, *, in_list: bool) -> Fragment:
    """Read an operator, with not. before it or without, and its value.

    Args:
        field: what is compared.
        scanner: stands behind the dot or the = after it.
        in_list: whether a comma or a bracket ends the value, and quotes keep it together.

    Raises:
        QueryError: it says what is wrong and what would be right.
    """
    value = _IN_LIST if in_list else _ALONE
    head = scanner.take(_HEAD)
    if head is None or head["name"] not in OPERATORS:
        raise _no_operator(field, scanner)
    name, argument = head["name"], head["argument"]
    if name in _SEARCHES:
        found = _search(field, name, argument, _value(scanner, value))
    elif name in _COMPARISONS:
        found = _comparison(field, name, argument, _value(scanner, value))
    elif argument:
        raise _no_operator(field, scanner)
    else:
        found = _state(field, scanner) if name == "is" else _membership(field, scanner)
    return build("not ({})", found) if head["not"] else found


def _no_operator(field: Field, scanner: Scanner) -> QueryError:
    return QueryError(
        f"{scanner} is not of the form {field.label}=operator.value; "
        f"the operators are {', '.join(OPERATORS)}, each with not. before it or without."
    )


def _value(scanner: Scanner, pattern: re.Pattern[str]) -> str:
    match = scanner.take(pattern)
    assert match  # The patterns match at least nothing.
    quoted = match.groupdict().get("quoted")
    return match[0] if quoted is None else unquoted(quoted)


def _comparison(field: Field, name: str, argument: str | None, text: str) -> Fragment:
    operator = _COMPARISONS[name]
    doubt = _require(field, name, operator.kinds)
    if argument and not (operator.takes_any and argument in ("any", "all")):
        quantified = [each for each, known in _COMPARISONS.items() if known.takes_any]
        raise QueryError(
            f"{name}({argument}) is no operator; (any) and (all) go with {', '.join(quantified)}."
        )
    if name in ("like", "ilike"):
        text = text.replace("*", "%")
    value = placeholder(text, field, doubt)
    if name == "ilike" and not argument:
        # What it does itself, but for each row it would make the pattern's letters small again.
        return build("lower({}) like lower({})", field.expression(), value)
    right = build(f"{argument} ({{}})", value) if argument else value
    return build(f"{{}} {operator.symbol} {{}}", field.expression(), right)


def _search(field: Field, name: str, language: str | None, text: str) -> Fragment:
    doubt = _require(field, name, _SEARCHED)
    searched, words = field.expression(), placeholder(text, doubt=doubt)
    if language is not None:
        words = build("{}::regconfig, {}", placeholder(language.strip()), words)
    if kind(field.data_type) != "search":
        if language is not None:
            searched = build("{}::regconfig, {}", placeholder(language.strip()), searched)
        searched = build("to_tsvector({})", searched)
    return build(f"{{}} @@ {_SEARCHES[name]}({{}})", searched, words)


def _membership(field: Field, scanner: Scanner) -> Fragment:
    if not scanner.take(_OPEN):
        raise scanner.error("a list such as (1,2,3)")
    entries = [_value(scanner, _ELEMENT)]
    is_empty = scanner.text.startswith("()", scanner.position - 1)
    while scanner.take(_COMMA):
        entries.append(_value(scanner, _ELEMENT))
    if not scanner.take(CLOSE):
        raise scanner.error("a comma, or the bracket that closes a list such as (1,2,3),")
    if is_empty:
        return build("false")
    places = joined(", ", [placeholder(entry, field) for entry in entries])
    return build("{} in ({})", field.expression(), places)


def _state(field: Field, scanner: Scanner) -> Fragment:
    match = scanner.take(_STATE)
    name = match[0].lower() if match else ""
    if name not in _STATES:
        raise QueryError(f"{field.label}=is.{name}: after is comes one of {', '.join(_STATES)}.")
    if name not in ("null", "not_null"):
        _require(field, f"is.{name}", ("boolean",))
    return build(f"{{}} {_STATES[name]}", field.expression())


def _require(field: Field, name: str, kinds: tuple[str, ...]) -> Doubt | None:
    """Refuse what the type of a column cannot do; PostgreSQL decides on types not known here."""
    found = kind(field.data_type)
    if not kinds or found in kinds:
        return None
    refusal = f"{field.label} is of type {field.data_type}; {name} is for {' and '.join(kinds)}."
    if found != "other":
        raise QueryError(refusal)
    return Doubt(field.data_type, refusal)
