"""The small change of the query language: lists, quotes, and what is wrong with a query."""

import re
from collections.abc import Iterable

from api.web.marts.catalogue import Column, Mart
from api.web.problems import Problem

_ESCAPED = re.compile(r"(?s)\\(.)")
DEEPEST = 20  # levels of nested lists
_OPENING, _CLOSING = "({", ")}"


def bad_query(detail: str, code: str = "PGRST100", hint: str | None = None) -> Problem:
    """A query that cannot be answered; with the members that PostgREST's clients show, too."""
    return Problem(400, "Bad query", detail, code=code, message=detail, details=None, hint=hint)


def split(text: str, separator: str = ",") -> list[str]:
    """The parts of a list: what is in quotes or brackets is not taken apart."""
    parts, start, position, depth = [], 0, 0, 0
    while position < len(text):
        letter = text[position]
        if letter == '"' and (position == 0 or text[position - 1] in ',.({:"'):
            position = _end_of_quotes(text, position)
        elif letter in _OPENING:
            depth += 1
        elif letter in _CLOSING:
            depth -= 1
        elif letter == separator and depth == 0:
            parts.append(text[start:position])
            start = position + 1
        if not 0 <= depth <= DEEPEST:
            raise bad_query(f"The brackets do not match, or are too deep, in {text!r}.")
        position += 1
    if depth:
        raise bad_query(f"A bracket is not closed in {text!r}.")
    return [*parts, text[start:]]


def _end_of_quotes(text: str, position: int) -> int:
    position += 1
    while position < len(text) and text[position] != '"':
        position += 2 if text[position] == "\\" else 1
    if position >= len(text):
        raise bad_query(f"A quote is not closed in {text!r}.")
    return position


def unquoted(text: str) -> str:
    """A value without its quotes, where it has some; a backslash in them keeps the next letter."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    return _ESCAPED.sub(r"\1", text[1:-1])


def inside(text: str, brackets: str) -> str | None:
    """What stands between these brackets, if they enclose the whole text."""
    is_enclosed = len(text) >= 2 and text[0] == brackets[0] and text[-1] == brackets[1]
    return text[1:-1] if is_enclosed else None


def column(mart: Mart, name: str) -> Column:
    """The column of that name.

    Raises:
        Problem: there is none; it names those there are.
    """
    found = mart.by_name.get(unquoted(name))
    if found is None:
        raise bad_query(
            f"There is no column {unquoted(name)!r} in {mart.name}; it has {names(mart.by_name)}.",
            code="42703",
            hint="Parameters other than select, order, limit, offset, and, or are columns.",
        )
    return found


def names(words: Iterable[str]) -> str:
    """These words as a list for a reader."""
    return ", ".join(words)
