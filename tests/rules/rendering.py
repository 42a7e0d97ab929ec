"""Writing records as the bytes of a CSV file in any of the ways the rules allow.

Whatever is drawn here, a reader that follows the rules gets back the fields that were put in.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.rules.reader import trim

T = TypeVar("T")

BYTE_ORDER_MARK = "\ufeff"
# A character that no strategy puts into a file: its place can be taken by bytes that are no text.
MARKER = "\ue000"


class Style(NamedTuple):
    """How a field is written: what stands around it, and whether it is quoted anyway."""

    before: str = ""
    after: str = ""
    quoted: bool = False
    inside: str = ""

    def around(self) -> tuple[str, str, str]:
        """What stands before the field, within its quotes, and after it."""
        return self.before, self.inside, self.after


BARE, QUOTED, AFTER_TAB = Style(), Style(quoted=True), Style(before="\t")
# The styles a file is written in; a field takes any one of them.
HANDS: tuple[tuple[Style, ...], ...] = (
    (BARE,),
    (AFTER_TAB,),
    (QUOTED,),
    (BARE, QUOTED),
    (
        BARE,
        AFTER_TAB,
        QUOTED,
        Style(before=" ", after="  "),
        Style(before="\u00a0", after="\t\u00a0"),
        Style(before="\r", after="\r"),
        Style(quoted=True, inside=" "),
        Style(quoted=True, inside="\u00a0\t\r"),
        Style(before=" ", after="\t", quoted=True),
        Style(before="\r\u00a0", after="\r", quoted=True, inside="\t"),
        Style(before="\u200b", after="\u202f\x0b"),
        Style(before="\ufeff", after="\u3000", quoted=True, inside="\u2028"),
        Style(quoted=True, inside="\n"),
        Style(quoted=True, inside="\r\n\u200e\f"),
    ),
)

# Extra columns. One that is a column of another file is extra too; those without a name may repeat.
EXTRA_COLUMNS: tuple[tuple[str, ...], ...] = (
    (),
    (),
    ("note",),
    ("",),
    ("", " "),
    ("Lab Site", ""),
    ("Compound_ID", "user_id"),
    ('size 5"', "a, b"),
    ("multi\nline", "ÿ"),
)
RECASINGS: tuple[Callable[[str], str], ...] = (str.lower, str.lower, str.upper, str.title)
ENDINGS = (("\n",), ("\r\n",), ("\n", "\r\n"))
BLANK_LINES = (
    "",
    "",
    " ",
    "\u00a0",
    "\r",
    " \u00a0\r ",
    "\u200b\u2003",
    ",",
    ",,,",
    " ,\u00a0,,,, \r",
)
SEPARATORS = (",", ",", ",", ";", "\t")

# Text that has led a reader astray somewhere, and any other text.
AWKWARD_TEXTS = (
    "",
    " ",
    "\u00a0",
    "Alice",
    "Compound A",
    "C20H25N3O",
    "Doe, Jane",
    'Ann "Bee" Lee',
    '"quoted"',
    '"',
    '""',
    '5" tube',
    "two\nlines",
    "two\r\nlines",
    "\nfirst and last\n",
    "with\n\n \nblank lines",
    "in\rside",
    "in\tside",
    "a;b",
    "\\",
    "\\N",
    "\\.",
    "a\\nb",
    "back\\",
    "null",
    "NULL",
    "None",
    "NaN",
    "'",
    "O'Hara; drop table users --",
    "=1+1",
    "{{ this }}",
    "{% raw %}",
    "%s %(name)s",
    "$1",
    "Zoë",
    "Zoe\u0308",
    "李小龙",
    "😀",
    "\ufeffmark",
    "\u2003em space\u2003",
    "\u200bzero width",
    "\u2028",
    "\x0b\x0c\x1c\x85",
    "\x1d",
    "in\u200bside",
    "sep=;",
    "\x1a",
    "true",
    "1",
    "2023-01-01",
)


# Anything that may stand in a field.
TEXTS = st.sampled_from(AWKWARD_TEXTS) | st.text(
    st.characters(codec="utf-8", exclude_characters="\0" + MARKER), max_size=6
)


def cell(text: str, style: Style, separator: str = ",") -> str:
    """A field as it stands in the file; quoted also where it must be."""
    before, inside, after = (part.replace(separator, " ") for part in style.around())
    must_be_quoted = trim(text).startswith('"') or separator in text or "\n" in text
    if style.quoted or must_be_quoted:
        text = '"' + inside + text.replace('"', '""') + inside + '"'
    return before + text + after


@dataclass
class WrittenLine:
    """The header, a record or a blank line, as it stands in the file."""

    cells: list[str]
    ending: str
    is_blank: bool = False
    separator: str = ","

    def __str__(self) -> str:
        return self.separator.join(self.cells) + self.ending


@dataclass
class WrittenFile:
    """A file in pieces: what comes before its first line, the names of its columns, its lines."""

    start: str
    columns: list[str]
    lines: list[WrittenLine]
    end: str = ""
    encoding: str = "utf-8"

    def __bytes__(self) -> bytes:
        text = self.start + "".join(map(str, self.lines)) + self.end
        return text.encode(self.encoding)

    def indexes(self) -> list[int]:
        """The places in `lines` of the header and then of the records."""
        return [index for index, line in enumerate(self.lines) if not line.is_blank]

    def number(self, index: int, cells_before: int = 0) -> int:
        """The line of the file on which `lines[index]`, or a cell of it, begins."""
        before = "".join(map(str, self.lines[:index]))
        return 1 + (before + "".join(self.lines[index].cells[:cells_before])).count("\n")


def one_of_these(choices: Sequence[T]) -> SearchStrategy[T]:
    """One of the choices, without a draw if there is but one."""
    return st.just(choices[0]) if len(choices) == 1 else st.sampled_from(choices)


@st.composite
def written_files(
    draw: DrawFn,
    columns: Sequence[str],
    records: Sequence[Mapping[str, str]],
    *,
    plain: bool = False,
) -> WrittenFile:
    """The records with their columns in any order, and columns, blank lines and more besides.

    With `plain`, commas separate the fields, no record ends early, and the file is in UTF-8.
    """
    hand = one_of_these(draw(st.sampled_from(HANDS)))
    ending = one_of_these(draw(st.sampled_from(ENDINGS)))
    drawn_columns = draw(st.sampled_from(EXTRA_COLUMNS))
    extra = [name for name in drawn_columns if name.lower() not in columns]
    order: list[str | int] = draw(st.permutations([*columns, *range(len(extra))]))
    has_blank_lines = draw(st.booleans())
    recase = draw(st.sampled_from(RECASINGS))
    separator = "," if plain else draw(st.sampled_from(SEPARATORS))
    ends_early = not plain and draw(st.booleans())

    def line(texts_of_cells: Sequence[str]) -> WrittenLine:
        cells = [cell(text, draw(hand), separator) for text in texts_of_cells]
        while ends_early and len(cells) > 1 and not trim(texts_of_cells[len(cells) - 1]):
            cells.pop()
        if not any(map(trim, cells)):
            cells[0] = '""'  # or it would be a blank line
        return WrittenLine(cells, draw(ending), separator=separator)

    def blank_lines() -> list[WrittenLine]:
        blank = st.lists(st.sampled_from(BLANK_LINES), max_size=2)
        drawn = draw(blank) if has_blank_lines else []
        texts = [text.replace(",", separator) for text in drawn]
        return [WrittenLine([text], draw(ending), is_blank=True) for text in texts]

    names = [recase(c) if isinstance(c, str) else extra[c] for c in order]
    header = WrittenLine([cell(n, draw(hand), separator) for n in names], draw(ending))
    header.separator = separator
    lines = [*blank_lines(), header]
    for record in records:
        lines += blank_lines()
        lines.append(line([record[c] if isinstance(c, str) else draw(TEXTS) for c in order]))
    lines += blank_lines()
    is_whole = lines[-1].is_blank or len(lines[-1].cells) == len(order)
    # A Ctrl-Z that ended the file would be the end of the file, not of the text.
    may_end = is_whole and not lines[-1].cells[-1].endswith("\x1a")
    if may_end and draw(st.booleans()):
        lines[-1].ending = ""
    starts = ["", BYTE_ORDER_MARK]
    if plain:
        return WrittenFile(draw(st.sampled_from(starts)), names, lines)
    encoding = draw(st.sampled_from(("utf-8", "utf-8", "utf-8", "utf-16")))
    starts += [BYTE_ORDER_MARK * 2, f"sep={separator}\n", f'{BYTE_ORDER_MARK}"sep={separator}"\r\n']
    ends = ("", "", "", "\x1a")
    return WrittenFile(
        draw(st.sampled_from(starts)), names, lines, draw(st.sampled_from(ends)), encoding
    )
