"""Columns and paths into JSON, how they are read, and the pieces of SQL that they come to."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from pgrest_query.errors import QueryError
from pgrest_query.tables import Column, Table

TABLE = "_t"  # what the table is called in the statements
BLANKS = r"[ \t]*"
QUOTED = r'"(?:[^"\\]|\\.)*"'
_WORDS = r"[\w $]+"
# It begins with no blank, which could be of the blanks before it, too: the ways to tell a long row
# of them apart would be as many as its letters squared.
NAME = rf"(?:{QUOTED}|(?! ){_WORDS}(?:-(?!>){_WORDS})*)"
_KEY_PART = r"[^(\-:.,>)]+"
_ARROW = re.compile(
    rf"(?s)(?P<arrow>->>?)(?:(?P<index>-?\d+)(?=->|::|[.,)]|$)"
    rf"|(?P<key>{QUOTED}|{_KEY_PART}(?:-(?!>){_KEY_PART})*))"
)
NAMED = re.compile(rf"(?s){BLANKS}(?P<name>{NAME})")
COMMA = re.compile(rf"{BLANKS},")
CLOSE = re.compile(rf"{BLANKS}\){BLANKS}")
_BLANKS = re.compile(BLANKS)
_WORD = re.compile(r"\w+")
_SPECIAL = re.compile(r'["\\]')
_ESCAPED = re.compile(r"(?s)\\(.)")
_HINT = "What has one of , . : ( ) in it, and is not meant as such, is put in double quotes."
_LONGEST_SHOWN = 200  # letters of a text in a message
_LARGEST_INDEX = 2**31 - 1


class Doubt(NamedTuple):
    """A type not known here, and what is said if PostgreSQL has no such operator for it."""

    data_type: str
    refusal: str


class Value(NamedTuple):
    """What goes into a placeholder, the column that it is compared with, and whether it can be."""

    text: str
    field: "Field | None" = None
    doubt: Doubt | None = None


class Fragment(NamedTuple):
    """A piece of SQL, and the values of its placeholders in their order."""

    sql: str
    values: tuple[Value, ...] = ()


def build(template: str, *parts: Fragment) -> Fragment:
    """The pieces put into the braces of a template, which must be a constant."""
    text = template.format(*[part.sql for part in parts])
    return Fragment(text, tuple(value for part in parts for value in part.values))


def joined(separator: str, parts: list[Fragment]) -> Fragment:
    """The pieces one after the other."""
    return build(separator.join(["{}"] * len(parts)), *parts)


@lru_cache(maxsize=1000)
def identifier(*names: str) -> Fragment:
    """A name, qualified if there are several."""
    # A % by itself would be the beginning of a placeholder.
    quoted = [name.replace('"', '""').replace("%", "%%") for name in names]
    return Fragment(".".join(f'"{name}"' for name in quoted))


def placeholder(text: str, field: "Field | None" = None, doubt: Doubt | None = None) -> Fragment:
    """A placeholder for this value."""
    return Fragment("%s", (Value(text, field, doubt),))


def shortened(text: str) -> str:
    """A text for a message."""
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def quoted(name: str) -> str:
    """A name as it stands in a query: in quotes where it needs them."""
    return name if _WORD.fullmatch(name) else '"{}"'.format(_SPECIAL.sub(r"\\\g<0>", name))


def unquoted(text: str) -> str:
    """A name or value without its quotes, where it has some, and without the blanks around it."""
    text = text.strip(" \t")
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    return _ESCAPED.sub(r"\1", text[1:-1])


class Scanner:
    """A text and how far it has been read; messages show `label` before it."""

    def __init__(self, text: str, label: str = "") -> None:
        self.text, self.label, self.position = text, label, 0

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Read what the pattern matches here, if it does."""
        match = pattern.match(self.text, self.position)
        if match:
            self.position = match.end()
        return match

    def end(self) -> None:
        """Read blanks up to the end of the text.

        Raises:
            QueryError: there is more.
        """
        self.take(_BLANKS)
        if self.position < len(self.text):
            raise self.error("nothing more")

    def error(self, expected: str) -> QueryError:
        """What is expected here, and what there is."""
        rest = shortened(self.text[self.position :])
        place = f"at {rest!r}" if rest else "at its end"
        return QueryError(f"{self}: {expected} is expected {place}.", hint=_HINT)

    def __str__(self) -> str:
        return f"{self.label}{shortened(self.text)}"


@dataclass(frozen=True)
class Field:
    """A column, or what a path leads to in one with JSON; a number in `path` counts from 0."""

    column: Column
    path: tuple[str | int, ...] = ()
    is_text: bool = False  # the path ends in ->>

    @property
    def name(self) -> str:
        """What it is called in the answer: the last key of the path, or the column."""
        keys = [step for step in self.path if isinstance(step, str)]
        return keys[-1] if keys else self.column.name

    @property
    def label(self) -> str:
        """What messages call it."""
        steps = [self.column.name, *map(str, self.path)]
        return "->>".join(("->".join(steps[:-1]), steps[-1])) if self.is_text else "->".join(steps)

    @property
    def data_type(self) -> str:
        """The type of its values."""
        if self.is_text:
            return "text"
        return "jsonb" if self.path or self.column.data_type == "json" else self.column.data_type

    def expression(self) -> Fragment:
        """It in SQL; json as jsonb, which can be compared and has no line breaks."""
        # Qualified: order by would take a bare name for that of an output first.
        found = identifier(TABLE, self.column.name)
        if self.column.data_type == "json":
            found = build("{}::jsonb", found)
        elif self.path and self.column.data_type != "jsonb":
            found = build("to_jsonb({})", found)
        if not self.path:
            return found
        steps = []
        for number, step in enumerate(self.path, start=1):
            arrow = "->>" if self.is_text and number == len(self.path) else "->"
            cast = "::int" if isinstance(step, int) else ""
            steps.append(build(f" {arrow} {{}}{cast}", placeholder(str(step))))
        return build("({}{})", found, joined("", steps))


def take_field(table: Table, scanner: Scanner) -> Field:
    """Read a column and the path that follows it.

    Raises:
        QueryError: there is no such column, or the path is none.
    """
    match = scanner.take(NAMED)
    if match is None:
        raise scanner.error("a column")
    path: list[str | int] = []
    name = unquoted(match["name"])
    is_text = False
    while arrow := scanner.take(_ARROW):
        if is_text:
            raise scanner.error("nothing after ->>, whose result is text,")
        is_text = arrow["arrow"] == "->>"
        path.append(_step(scanner, arrow))
    if scanner.text.startswith("->", scanner.position):
        raise scanner.error("a key or a number after the arrow")
    return Field(table.column(name), tuple(path), is_text)


def _step(scanner: Scanner, arrow: re.Match[str]) -> str | int:
    if arrow["index"] is None:
        return unquoted(arrow["key"])
    digits = arrow["index"]
    if len(digits) > 11 or abs(int(digits)) > _LARGEST_INDEX:
        raise scanner.error("a smaller number in the path")
    return int(digits)
