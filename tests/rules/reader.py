"""The files as the rules of the data read them: one character after another, slowly and plainly.

Each comment that begins with "Rule:" quotes DESIGN.md; the lines under it say how it is understood.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

# Rule: Every field is trimmed of white space at both ends (space, tab, no-break space,
# carriage return).
# White space is these four and nothing else: not a line feed, not an em space.
WHITE_SPACE = " \t\u00a0\r"

Fields = dict[str, str | None]


class MalformedFile(Exception):  # noqa: N818 - a verdict on a file, not an error of the program
    """A file that cannot be read: its name, the line counted from 1 (or None), what is wrong."""

    def __init__(self, file: str, line: int | None, problem: str) -> None:
        super().__init__(file, line, problem)
        self.file, self.line, self.problem = file, line, problem


class Line(NamedTuple):
    """The header or a record: its trimmed fields, and the line of the file it begins on."""

    number: int
    fields: list[str]


def trim(text: str) -> str:
    """Without the white space at both ends."""
    return text.strip(WHITE_SPACE)


def read_table(file: str, raw: bytes, columns: Sequence[str]) -> list[Fields]:
    """The records of a file in order, each with exactly the given columns; record 1 comes first."""
    lines = Reader(file, decode(file, raw)).lines()
    # Rule: The first line that is not blank is the header.
    header = next(lines, None)
    if header is None:
        raise MalformedFile(file, None, "there is no header")
    places = find_columns(file, header, columns)
    records = []
    for record in lines:
        # Rule: a record with too many or too few fields is an error
        if len(record.fields) != len(header.fields):
            problem = f"{len(record.fields)} fields where the header has {len(header.fields)}"
            raise MalformedFile(file, record.number, problem)
        records.append(record)
    # Rule: An empty field is null.
    return [{name: record.fields[places[name]] or None for name in columns} for record in records]


def decode(file: str, raw: bytes) -> str:
    """The text of a file. Lines are counted by line feeds, whatever they stand in."""
    # Rule: Bytes that are not UTF-8, a NUL byte ... is an error that names the file, the line
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = 1 + raw.count(b"\n", 0, error.start)
        raise MalformedFile(file, line, "not UTF-8") from error
    if "\0" in text:
        raise MalformedFile(file, 1 + text.count("\n", 0, text.index("\0")), "a NUL byte")
    # Rule: UTF-8, with or without a byte order mark.
    return text.removeprefix("\ufeff")


def find_columns(file: str, header: Line, columns: Sequence[str]) -> dict[str, int]:
    """Where each column stands."""
    # Rule: Header names are trimmed and matched without regard to case or order.
    names = [name.lower() for name in header.fields]
    # Rule: A missing or repeated column is an error
    # An extra column may not be repeated either, unless it has no name.
    for name in names:
        if name and names.count(name) > 1:
            raise MalformedFile(file, header.number, f"column {name!r} is repeated")
    for name in columns:
        if name not in names:
            raise MalformedFile(file, header.number, f"column {name!r} is missing")
    # Rule: an extra column is ignored
    return {name: names.index(name) for name in columns}


class Reader:
    """Walks through the text of a file; `at` is the place it has come to."""

    def __init__(self, file: str, text: str) -> None:
        self.file, self.text, self.at = file, text, 0

    def here(self) -> str:
        """The character to read next, or nothing at the end of the file."""
        return self.text[self.at : self.at + 1]

    def line_number(self) -> int:
        return 1 + self.text.count("\n", 0, self.at)

    def lines(self) -> Iterator[Line]:
        while self.here():
            # Rule: Blank lines (nothing, or white space only) are skipped wherever they stand.
            rest_of_line = self.text[self.at :].split("\n")[0]
            if trim(rest_of_line) == "":
                self.at += len(rest_of_line) + 1
            else:
                yield self.line()

    def line(self) -> Line:
        number = self.line_number()
        fields = [self.field(number)]
        while self.here() == ",":
            self.at += 1
            fields.append(self.field(number))
        # Rule: LF or CRLF, final newline or none.
        # The carriage return of a CRLF was trimmed with the field before it. Any other one is data.
        self.at += 1
        return Line(number, fields)

    def field(self, record_line: int) -> str:
        # Rule: RFC 4180 quoting.
        # White space may stand around a quoted field; in another, a quote is only a character.
        self.skip_white_space()
        if self.here() == '"':
            text = self.quoted()
            self.skip_white_space()
            if not self.at_end_of_field():
                raise MalformedFile(self.file, record_line, "text after a closing quote")
        else:
            text = ""
            while not self.at_end_of_field():
                text += self.take()
        return trim(text)

    def quoted(self) -> str:
        opened_on = self.line_number()
        self.take()
        text = ""
        while self.here():
            character = self.take()
            if character != '"':
                text += character
            elif self.here() == '"':
                text += self.take()
            else:
                return text
        # Rule: an unclosed quote ... is an error that names the file, the line
        raise MalformedFile(self.file, opened_on, "an unclosed quote")

    def take(self) -> str:
        character = self.here()
        self.at += 1
        return character

    def skip_white_space(self) -> None:
        while self.here() and self.here() in WHITE_SPACE:
            self.at += 1

    def at_end_of_field(self) -> bool:
        return self.here() in ("", ",", "\n")
