"""The files as the rules of the data read them: one character after another, slowly and plainly.

Each comment that begins with "Rule:" quotes DESIGN.md; the lines under it say how it is understood.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

# Rule: Every field is trimmed of white space at both ends: every Unicode white space, line ends
# within quotes, and the invisible characters U+200B-U+200F, U+202A-U+202E, U+2060-U+2064, U+FEFF.
# Not what Python takes for white space beyond that, such as U+001C.
WHITE_SPACE = (
    " \t\n\v\f\r\u0085\u00a0\u1680"
    "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
    "\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
    "\u2060\u2061\u2062\u2063\u2064\ufeff"
)
# What a record says of itself, beside its fields.
FIELDS_MISSING, SEPARATOR = "_fields_missing", "_separator"

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
    has_newline: bool


def trim(text: str) -> str:
    """Without the white space at both ends."""
    return text.strip(WHITE_SPACE)


def read_table(file: str, raw: bytes, columns: Sequence[str]) -> list[Fields]:
    """The records of a file in order; record 1 comes first.

    Each has exactly the given columns, FIELDS_MISSING and SEPARATOR.
    """
    text = decode(file, raw)
    reader = separated(file, text, columns)
    lines = reader.lines()
    header = next(lines)
    places = find_columns(file, header, columns)
    records = []
    for record in lines:
        missing = header.fields[len(record.fields) :]
        # Rule: a record with too many fields is an error. A record may end early. But a last line
        # without a newline that has too few fields is a file cut off: an error.
        if len(record.fields) > len(header.fields) or (missing and not record.has_newline):
            problem = f"{len(record.fields)} fields where the header has {len(header.fields)}"
            raise MalformedFile(file, record.number, problem)
        # Rule: What is missing is null. An empty field is null.
        fields = [*record.fields, *[""] * len(missing)]
        row = {name: fields[places[name]] or None for name in columns}
        # A column of ours goes by the name that we have for it.
        ours = {header.fields[place]: name for name, place in places.items()}
        row[FIELDS_MISSING] = ", ".join(ours[name] for name in missing if name in ours) or None
        row[SEPARATOR] = None if reader.separator == "," else reader.separator
        records.append(row)
    return records


def separated(file: str, text: str, columns: Sequence[str]) -> "Reader":
    """The file at its beginning, read with the separator that it has."""
    # Rule: what a first line `sep=...` says, as spreadsheets write it.
    declared = re.match(r'"?sep=([^"\n])"?[ \t\r]*(\n|$)', text)
    if declared:
        reader = Reader(file, text, declared[1], declared.end())
        require_columns(reader, columns)
        return reader
    # Rule: The separator is a comma; semicolon or tab if the header, read with it, has all the
    # columns and read with a comma has not.
    readers = [Reader(file, text, separator) for separator in (",", ";", "\t")]
    problems = [problem_of_header(reader, columns) for reader in readers]
    for reader, problem in zip(readers, problems, strict=True):
        if problem is None:
            return reader
    assert problems[0] is not None
    raise problems[0]


def problem_of_header(reader: "Reader", columns: Sequence[str]) -> MalformedFile | None:
    try:
        require_columns(reader, columns)
    except MalformedFile as problem:
        return problem
    return None


def require_columns(reader: "Reader", columns: Sequence[str]) -> None:
    # Rule: The first line that is not blank is the header.
    start = reader.at
    header = next(reader.lines(), None)
    reader.at = start
    if header is None:
        raise MalformedFile(reader.file, None, "there is no header")
    find_columns(reader.file, header, columns)


def decode(file: str, raw: bytes) -> str:
    """The text of a file. Lines are counted by line feeds, whatever they stand in."""
    # Rule: UTF-16 with a byte order mark.
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raw = raw.decode("utf-16").encode()
    # Rule: Bytes that are not in the encoding, a NUL byte ... is an error that names the file, the
    # line
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = 1 + raw.count(b"\n", 0, error.start)
        raise MalformedFile(file, line, "not UTF-8") from error
    if "\0" in text:
        raise MalformedFile(file, 1 + text.count("\n", 0, text.index("\0")), "a NUL byte")
    # Rule: UTF-8, with or without a byte order mark (also a doubled one).
    text = text.lstrip("\ufeff")
    # Rule: a Ctrl-Z at the end is ignored. What stands before it is not cut off.
    return text.rstrip("\x1a") + "\n" if text.endswith("\x1a") else text


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

    def __init__(self, file: str, text: str, separator: str = ",", at: int = 0) -> None:
        self.file, self.text, self.separator, self.at = file, text, separator, at

    def here(self) -> str:
        """The character to read next, or nothing at the end of the file."""
        return self.text[self.at : self.at + 1]

    def line_number(self) -> int:
        return 1 + self.text.count("\n", 0, self.at)

    def lines(self) -> Iterator[Line]:
        while self.here():
            # Rule: Blank lines (nothing, white space only, or nothing but separators) are skipped
            # wherever they stand.
            rest_of_line = self.text[self.at :].split("\n")[0]
            if all(trim(part) == "" for part in rest_of_line.split(self.separator)):
                self.at += len(rest_of_line) + 1
            else:
                yield self.line()

    def line(self) -> Line:
        number = self.line_number()
        fields = [self.field(number)]
        while self.here() == self.separator:
            self.at += 1
            fields.append(self.field(number))
        # Rule: LF or CRLF, final newline or none.
        # The carriage return of a CRLF was trimmed with the field before it. Any other one is data.
        has_newline = self.here() == "\n"
        self.at += 1
        return Line(number, fields, has_newline)

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
        while self.here() not in ("", "\n", self.separator) and self.here() in WHITE_SPACE:
            self.at += 1

    def at_end_of_field(self) -> bool:
        return self.here() in ("", self.separator, "\n")
