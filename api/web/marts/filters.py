"""Filters: `column=operator.value` and trees of them, as conditions in SQL."""

from collections.abc import Iterable
from typing import NamedTuple

from psycopg2 import sql

from api.web.marts.catalogue import Column, Mart
from api.web.marts.syntax import DEEPEST, bad_query, column, inside, names, split, unquoted

_COMPARISONS = {
    "eq": sql.SQL("="),
    "neq": sql.SQL("<>"),
    "gt": sql.SQL(">"),
    "gte": sql.SQL(">="),
    "lt": sql.SQL("<"),
    "lte": sql.SQL("<="),
    "like": sql.SQL("like"),
    "ilike": sql.SQL("ilike"),
    "isdistinct": sql.SQL("is distinct from"),
}
_STATES = {
    "null": sql.SQL("is null"),
    "not_null": sql.SQL("is not null"),
    "true": sql.SQL("is true"),
    "false": sql.SQL("is false"),
    "unknown": sql.SQL("is unknown"),
}
OPERATORS = (*_COMPARISONS, "in", "is")
_QUANTIFIERS = {"(any)": sql.SQL(" or "), "(all)": sql.SQL(" and ")}
_JOINTS = {"and": sql.SQL(" and "), "or": sql.SQL(" or ")}
TREES = ("and", "or", "not.and", "not.or")


class Value(NamedTuple):
    """What a column is compared with."""

    column: Column
    text: str


class Condition(NamedTuple):
    """A condition in SQL, with a placeholder for each of its values."""

    statement: sql.Composable
    values: list[Value]


def condition(mart: Mart, name: str, text: str) -> Condition:
    """The condition of the parameter `name=text`.

    Raises:
        Problem: 400; it says what is wrong and what would be right.
    """
    if name in TREES:
        return _tree(mart, f"{name}{text}", 0)
    return _comparison(column(mart, name), text, is_in_tree=False)


def all_of(conditions: Iterable[Condition]) -> Condition | None:
    """The condition that they all hold; None if there are none."""
    parts = list(conditions)
    return _joined(parts, _JOINTS["and"]) if parts else None


def _tree(mart: Mart, text: str, depth: int) -> Condition:
    is_negated = text.startswith("not.")
    name = text.removeprefix("not.").partition("(")[0]
    content = inside(text.removeprefix("not.").removeprefix(name), "()")
    if content is None or not content.strip() or depth > DEEPEST:
        raise bad_query(f"{text!r} is not of the form {name}=(column.eq.1,column.gt.2).")
    parts = [_branch(mart, part.strip(), depth) for part in split(content)]
    joined = _joined(parts, _JOINTS[name])
    return _negated(joined) if is_negated else joined


def _branch(mart: Mart, text: str, depth: int) -> Condition:
    if text.startswith(("and(", "or(", "not.and(", "not.or(")):
        return _tree(mart, text, depth + 1)
    name, *rest = split(text, ".")
    if not rest:
        raise bad_query(f"{text!r} is not of the form column.operator.value.")
    return _comparison(column(mart, name), ".".join(rest), is_in_tree=True)


def _comparison(wanted: Column, text: str, *, is_in_tree: bool) -> Condition:
    if text.startswith("not."):
        return _negated(_plain(wanted, text[4:], is_in_tree=is_in_tree))
    return _plain(wanted, text, is_in_tree=is_in_tree)


def _plain(wanted: Column, text: str, *, is_in_tree: bool) -> Condition:
    operator, dot, value = text.partition(".")
    bare = operator.partition("(")[0]
    quantifier = operator.removeprefix(bare)
    if not dot or bare not in OPERATORS or quantifier not in ("", *_QUANTIFIERS):
        raise bad_query(
            f"{wanted.name}={text} is not of the form {wanted.name}=operator.value; "
            f"the operators are {names(OPERATORS)}, each with not. before it or without."
        )
    if bare == "is":
        return _state(wanted, value)
    if bare == "in":
        return _membership(wanted, value)
    if bare.endswith("like") and not wanted.is_text:
        raise bad_query(f"{wanted.name} is of type {wanted.data_type}; {bare} is for text.")
    if quantifier:
        return _quantified(wanted, bare, value, quantifier)
    return _compared(wanted, bare, unquoted(value) if is_in_tree else value)


def _compared(wanted: Column, operator: str, text: str) -> Condition:
    if operator.endswith("like"):
        text = text.replace("*", "%")
    statement = sql.SQL("{} {} %s").format(sql.Identifier(wanted.name), _COMPARISONS[operator])
    return Condition(statement, [_value(wanted, text)])


def _quantified(wanted: Column, operator: str, text: str, quantifier: str) -> Condition:
    entries = _entries(wanted, text, "{}")
    parts = [_compared(wanted, operator, entry) for entry in entries]
    if not parts:
        return Condition(sql.SQL("false" if quantifier == "(any)" else "true"), [])
    return _joined(parts, _QUANTIFIERS[quantifier])


def _membership(wanted: Column, text: str) -> Condition:
    entries = _entries(wanted, text, "()")
    if not entries:
        return Condition(sql.SQL("false"), [])
    places = sql.SQL(", ").join([sql.SQL("%s")] * len(entries))
    statement = sql.SQL("{} in ({})").format(sql.Identifier(wanted.name), places)
    return Condition(statement, [_value(wanted, entry) for entry in entries])


def _entries(wanted: Column, text: str, brackets: str) -> list[str]:
    content = inside(text, brackets)
    if content is None:
        raise bad_query(
            f"{wanted.name}: {text!r} is not a list such as {brackets[0]}1,2,3{brackets[1]}."
        )
    return [unquoted(entry.strip()) for entry in split(content)] if content.strip() else []


def _state(wanted: Column, text: str) -> Condition:
    state = _STATES.get(text.lower())
    if state is None:
        raise bad_query(f"{wanted.name}=is.{text}: after is comes one of {names(_STATES)}.")
    if text.lower() not in ("null", "not_null") and not wanted.is_boolean:
        raise bad_query(f"{wanted.name} is of type {wanted.data_type}; is.{text} is for booleans.")
    return Condition(sql.SQL("{} {}").format(sql.Identifier(wanted.name), state), [])


def _value(wanted: Column, text: str) -> Value:
    if "\0" in text:
        raise bad_query(f"{wanted.name}: a value may not hold a NUL byte.", code="22P05")
    return Value(wanted, text)


def _negated(whole: Condition) -> Condition:
    return Condition(sql.SQL("not ({})").format(whole.statement), whole.values)


def _joined(parts: list[Condition], joint: sql.SQL) -> Condition:
    statements = [sql.SQL("({})").format(part.statement) for part in parts]
    return Condition(joint.join(statements), [value for part in parts for value in part.values])
