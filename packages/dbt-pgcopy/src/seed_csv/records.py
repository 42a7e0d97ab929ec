"""The careful parser: RFC 4180 with padding, one line at a time, one record after the other."""

import re
from collections.abc import Callable
from typing import NamedTuple

from seed_csv.characters import ASCII_WHITE_SPACE, WHITE_SPACE

MAX_QUOTED = 1 << 20

# A quoted part up to its closing quote, if that stands on this line. A doubled quote is one quote.
_CLOSING = re.compile(r'([^"]*(?:""[^"]*)*)("?)')


class Record(NamedTuple):
    """One record: its first line, and its fields, trimmed and without their quotes."""

    line: int
    fields: list[str]


class RecordParser:
    """Turns lines into records; lines are given in order, without their line feed.

    Args:
        delimiter: the character between fields.
        report: told of each problem, by line and message. If it returns, the record is left out.

    Attributes:
        lost: a quote was never closed, so that nothing after it can be told apart.
    """

    def __init__(self, delimiter: str, report: Callable[[int, str], None]) -> None:
        self._delimiter = delimiter
        self._report = report
        padding = f"[{WHITE_SPACE.replace(delimiter, '')}]*"
        # A quoted field that ends on its line, which nearly all do, is taken in one step.
        self._complete = re.compile(
            f'{padding}"([^"]*(?:""[^"]*)*)"{padding}({re.escape(delimiter)}|\\Z)'
        )
        self._padding = re.compile(padding)
        self._line = 0
        self._fields: list[str] = []
        self._quoted: list[str] | None = None
        self._quote_line = 0
        self._quoted_size = 0
        self._broken = False
        self.lost = False

    @property
    def inside_quotes(self) -> bool:
        """Whether the lines given so far end inside a quoted field."""
        return self._quoted is not None

    def feed(self, line: int, text: str) -> Record | None:
        """Take one line and return the record that ends with it, if one does."""
        if self._quoted is None:
            self._line, self._fields, self._broken = line, [], False
            if '"' not in text:
                return self._plain(text)
            position = self._field(line, text, 0)
        else:
            position = self._rest_of_quoted(text, 0)
        while position <= len(text):
            position = self._field(line, text, position)
        if self._quoted is not None or self._broken:
            return None
        return Record(self._line, self._fields)

    def finish(self) -> None:
        """Say that the file has ended."""
        if self._quoted is not None:
            self.lost = True
            self._report(self._quote_line, 'a quote (") is opened here and never closed')

    def _plain(self, text: str) -> Record | None:
        white_space = _white_space_of(text)
        fields = [field.strip(white_space) for field in text.split(self._delimiter)]
        # Without a quote, a line of nothing but delimiters is blank, as spreadsheets write them.
        return Record(self._line, fields) if any(fields) else None

    def _field(self, line: int, text: str, position: int) -> int:
        """Take the field at the position; return where the next begins, past the end if none."""
        end = text.find(self._delimiter, position)
        end = len(text) if end < 0 else end
        field = text[position:end].strip(WHITE_SPACE)
        if not field.startswith('"'):
            self._fields.append(field)
            return end + 1
        complete = self._complete.match(text, position)
        if complete:
            self._fields.append(_unquoted(complete[1]))
            return complete.end() if complete[2] else len(text) + 1
        self._quoted, self._quoted_size, self._quote_line = [], 0, line
        return self._rest_of_quoted(text, text.index('"', position) + 1)

    def _rest_of_quoted(self, text: str, position: int) -> int:
        closing = _CLOSING.match(text, position)
        assert closing is not None  # it matches nothing at all, too
        assert self._quoted is not None
        self._quoted.append(closing[1])
        if not closing[2]:
            self._quoted.append("\n")
            self._quoted_size += len(closing[1])
            if self._quoted_size > MAX_QUOTED:
                self.finish()
            return len(text) + 1
        self._fields.append(_unquoted("".join(self._quoted)))
        self._quoted = None
        return self._after_quoted(text, closing.end())

    def _after_quoted(self, text: str, position: int) -> int:
        padding = self._padding.match(text, position)
        position = padding.end() if padding else position
        if position < len(text) and text[position] != self._delimiter:
            self._broken = True
            found = text[position : position + 20].rstrip(WHITE_SPACE)
            self._report(self._line, f'text after a closing quote ("): “{found}”')
            return len(text) + 1
        return position + 1


def _unquoted(text: str) -> str:
    return text.replace('""', '"').strip(_white_space_of(text))


def _white_space_of(text: str) -> str:
    """What to strip from a text; fewer characters take less time."""
    return ASCII_WHITE_SPACE if text.isascii() else WHITE_SPACE
