"""Ways to put exactly one fault into a well-formed file.

Each takes the file in pieces and the columns it must have, and gives the bytes of the broken file
and the line at fault (None for the file as a whole).
"""

from collections.abc import Callable, Sequence

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.rules.reader import trim
from tests.rules.rendering import (
    BARE,
    BLANK_LINES,
    MARKER,
    QUOTED,
    TEXTS,
    Style,
    WrittenFile,
    WrittenLine,
    cell,
)

Broken = tuple[bytes, int | None]
Columns = Sequence[str]

NOT_UTF8 = (
    b"\xff",
    b"\x80",
    b"\xe9",  # é in Latin-1
    b"\xc3",
    b"\xe2\x82",  # a character cut short
    b"\xc0\xaf",  # a character written longer than it is
    b"\xed\xa0\x80",  # a surrogate
    b"\xf4\x90\x80\x80",  # beyond the last character
)
STYLES = (BARE, QUOTED, Style(before="\t", after=" "), Style(before=" ", after="\r", quoted=True))


def pick_record(draw: DrawFn, written: WrittenFile) -> int:
    return draw(st.sampled_from(written.indexes()[1:]))


def pick_cell(draw: DrawFn, line: WrittenLine) -> int:
    return draw(st.integers(0, len(line.cells) - 1))


@st.composite
def with_bytes(draw: DrawFn, written: WrittenFile, bad: bytes) -> Broken:
    """Bytes that are no text, somewhere in a field that may begin on an earlier line."""
    line = written.lines[pick_record(draw, written)]
    before, after = draw(st.sampled_from(("", "a", "a\n\nb"))), draw(st.sampled_from(("", "z")))
    line.cells[pick_cell(draw, line)] = f'"{before}{MARKER}{after}"'
    start, end = bytes(written).split(MARKER.encode())
    return start + bad + end, 1 + start.count(b"\n")


def not_utf8(written: WrittenFile, columns: Columns) -> SearchStrategy[Broken]:
    return st.sampled_from(NOT_UTF8).flatmap(lambda bad: with_bytes(written, bad))


def nul(written: WrittenFile, columns: Columns) -> SearchStrategy[Broken]:
    return with_bytes(written, b"\0")


@st.composite
def unclosed_quote(draw: DrawFn, written: WrittenFile, columns: Columns) -> Broken:
    """A quote before a field of the header or a record; every later quote is doubled, so inside."""
    index = draw(st.sampled_from(written.indexes()))
    line = written.lines[index]
    place = pick_cell(draw, line)
    before = WrittenFile(written.start, [], written.lines[:index])
    head = "".join(written_cell + "," for written_cell in line.cells[:place])
    tail = ",".join(line.cells[place:]) + line.ending
    rest = bytes(WrittenFile(tail, [], written.lines[index + 1 :])).replace(b'"', b'""')
    padding = draw(st.sampled_from(("", " ", "\t")))
    raw = bytes(before) + (head + padding + '"').encode() + rest
    return raw, written.number(index, place)


@st.composite
def text_after_quote(draw: DrawFn, written: WrittenFile, columns: Columns) -> Broken:
    index = draw(st.sampled_from(written.indexes()))
    line = written.lines[index]
    inside = draw(st.sampled_from(("", "a", "two\nlines", 'a ""b""')))
    after = draw(st.sampled_from(("x", " x", ' "x"', "\x1c", "\\", "'")))
    line.cells[pick_cell(draw, line)] = f'"{inside}"{after}'
    return bytes(written), written.number(index)


@st.composite
def cut_off(draw: DrawFn, written: WrittenFile, columns: Columns) -> Broken:
    """The last line ends in the middle."""
    index = pick_record(draw, written)
    line = written.lines[index]
    text = draw(st.sampled_from(("total", '""', ".", "\\.", "1")))
    line.cells = [text] * (pick_cell(draw, line) or 1)
    line.ending = ""
    del written.lines[index + 1 :]
    return bytes(written), written.number(index)


@st.composite
def too_many_fields(draw: DrawFn, written: WrittenFile, columns: Columns) -> Broken:
    index = pick_record(draw, written)
    line = written.lines[index]
    line.cells.insert(draw(st.integers(0, len(line.cells))), cell(draw(TEXTS), BARE))
    return bytes(written), written.number(index)


@st.composite
def missing_column(draw: DrawFn, written: WrittenFile, columns: Columns) -> Broken:
    """A column that goes by another name, or is in no line of the file."""
    names = [trim(name).lower() for name in written.columns]
    column = draw(st.sampled_from(columns))
    place, header = names.index(column), written.indexes()[0]
    rename = draw(st.sampled_from(("", "{}s", "{}\x1c", "x\n{}", "\u00ad{}", "'{}'", "dropped")))
    if rename == "dropped":
        for index in written.indexes():
            del written.lines[index].cells[place]
    else:
        written.lines[header].cells[place] = cell(
            rename.format(column), draw(st.sampled_from(STYLES))
        )
    return bytes(written), written.number(header)


@st.composite
def repeated_column(draw: DrawFn, written: WrittenFile, columns: Columns) -> Broken:
    """A second column of a name that is there: one of the file's own, or an extra one."""
    header, *records = written.indexes()
    name = draw(st.sampled_from([name for name in written.columns if trim(name)]))
    name = draw(st.sampled_from((name, name.upper(), name.lower())))
    place = draw(st.integers(0, len(written.columns)))
    written.lines[header].cells.insert(place, cell(name, draw(st.sampled_from(STYLES))))
    for index in records:
        written.lines[index].cells.insert(place, cell(draw(TEXTS), BARE))
    return bytes(written), written.number(header)


@st.composite
def no_header(draw: DrawFn, written: WrittenFile, columns: Columns) -> Broken:
    blank = st.builds(
        WrittenLine, st.sampled_from(BLANK_LINES).map(lambda text: [text]), st.just("\n")
    )
    return bytes(WrittenFile(written.start, [], draw(st.lists(blank, max_size=3)))), None


BREAKS: dict[str, Callable[[WrittenFile, Columns], SearchStrategy[Broken]]] = {
    "not UTF-8": not_utf8,
    "NUL": nul,
    "unclosed quote": unclosed_quote,
    "text after quote": text_after_quote,
    "cut off": cut_off,
    "too many fields": too_many_fields,
    "missing column": missing_column,
    "repeated column": repeated_column,
    "no header": no_header,
}
