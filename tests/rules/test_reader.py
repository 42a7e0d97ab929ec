"""The rules for reading a file, example by example, and the reader against others."""

import csv
import io
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rules.reader import MalformedFile, Reader, read_table, trim
from tests.rules.rendering import TEXTS, WrittenFile, written_files

COLUMNS = ("a", "b")


def read(raw: str | bytes, columns: tuple[str, ...] = COLUMNS) -> list[list[str | None]]:
    raw = raw.encode() if isinstance(raw, str) else raw
    records = read_table("file.csv", raw, columns)
    return [[record[column] for column in columns] for record in records]


@pytest.mark.parametrize(
    ("raw", "records"),
    [
        pytest.param("a,b\n1,2\n", [["1", "2"]], id="LF"),
        pytest.param("a,b\r\n1,2\r\n", [["1", "2"]], id="CRLF"),
        pytest.param("a,b\r\n1,2\n3,4\r\n", [["1", "2"], ["3", "4"]], id="mixed line ends"),
        pytest.param("a,b\n1,2", [["1", "2"]], id="no final newline"),
        pytest.param("a,b", [], id="no record"),
        pytest.param("\ufeffa,b\n1,2\n", [["1", "2"]], id="byte order mark"),
        pytest.param(
            "\ufeff\n\r\n \t\u00a0\n\na,b\n\n1,2\n  \n3,4\n\n\n\t", [["1", "2"], ["3", "4"]]
        ),
        pytest.param("\na,\tb\n1,\tAlice\n", [["1", "Alice"]], id="padded with tabs"),
        pytest.param("a,b\n \t\u00a0\r1 , \u00a0\t2\r\r\n", [["1", "2"]], id="white space"),
        pytest.param("a,b\n\u20031\u200b,\x0b2\ufeff\n", [["1", "2"]], id="Unicode white space"),
        pytest.param("a,b\n\x1c1,2\x1f\n", [["\x1c1", "2\x1f"]], id="no white space"),
        pytest.param("a,b\n1,2\u20283\n\x1c\n", [["1", "2\u20283"], ["\x1c", None]], id="one line"),
        pytest.param("\ufeff\ufeffa,b\n1,2\n", [["1", "2"]], id="doubled byte order mark"),
        pytest.param("a,b\n1,2\n".encode("utf-16"), [["1", "2"]], id="UTF-16"),
        pytest.param("a,b\n1,2\n\x1a", [["1", "2"]], id="Ctrl-Z"),
        pytest.param("a,b\n1\x1a", [["1", None]], id="Ctrl-Z says that it is whole"),
        pytest.param("a;b\n1;2,5\n", [["1", "2,5"]], id="semicolons"),
        pytest.param('a\tb\n1\t"\t2\t"\n', [["1", "2"]], id="tabs"),
        pytest.param("sep=;\na;b\n1;2\n", [["1", "2"]], id="sep=;"),
        pytest.param('"sep=|"\r\nb|a\n1|2\n', [["2", "1"]], id="sep=|"),
        pytest.param("a,b\n,\n , ,\u200b\n1,2\n,,,\n", [["1", "2"]], id="only separators"),
        pytest.param("x,a,b\n1,2\n1\n", [["2", None], [None, None]], id="ends early"),
        pytest.param("a,b\n1\r2,\r\n", [["1\r2", None]], id="lone carriage return"),
        pytest.param('a,b\n,""\n', [[None, None]], id="empty fields"),
        pytest.param('a,b\n"", " \t"\n', [[None, None]], id="empty quoted fields"),
        pytest.param('a,b\n"1,2","say ""x"""\n', [["1,2", 'say "x"']], id="quoted"),
        pytest.param('a,b\n\t"1" ,\u00a0"2"\r\n', [["1", "2"]], id="padding around quotes"),
        pytest.param('a,b\n" 1\t","\r2\r\n"\n', [["1", "2"]], id="padding inside quotes"),
        pytest.param('a,b\n5" tube,x""y"\n', [['5" tube', 'x""y"']], id="quote in unquoted"),
        pytest.param('a,b\n"x\n\n \ny",2\n', [["x\n\n \ny", "2"]], id="blank lines in quotes"),
        pytest.param("a,b\n\\N,\\.\n\\.,NULL\n", [["\\N", "\\."], ["\\.", "NULL"]], id="backslash"),
        pytest.param(' B ,"A "\n1,2\n', [["2", "1"]], id="header case, order, padding"),
        pytest.param("x,b,,a,\n1,2,3,4,5\n", [["4", "2"]], id="extra columns"),
    ],
)
def test_well_formed(raw: str, records: list[list[str | None]]) -> None:
    assert read(raw) == records


@pytest.mark.parametrize(
    ("raw", "line", "problem"),
    [
        pytest.param(b"a,b\n1,\xff\n", 2, "not UTF-8", id="not UTF-8"),
        pytest.param(b'a,b\n"\n\n\xe9",2\n', 4, "not UTF-8", id="not UTF-8 within a record"),
        pytest.param(b"a,b\n1,\xed\xa0\x80\n", 2, "not UTF-8", id="surrogate"),
        pytest.param(b'a,b\n1,"\n\0"\n', 3, "a NUL byte", id="NUL"),
        pytest.param(b"a,b\r\n1,2\r\n\0\n", 3, "a NUL byte", id="NUL on its own"),
        pytest.param(b'a,b\n\n1,"2\n3,4\n', 3, "an unclosed quote", id="unclosed"),
        pytest.param(b'a,b\n"1\n\n","2""\n', 4, "an unclosed quote", id="unclosed in a record"),
        pytest.param(b'a,"b\n', 1, "an unclosed quote", id="unclosed in the header"),
        pytest.param(b'a,b\n"1\n"x,2\n', 2, "text after a closing quote", id="text after quote"),
        pytest.param(b'a,b\n1,"2" "3"\n', 2, "text after a closing quote", id="two quoted texts"),
        pytest.param(b'a,b\n\n"1\n1",2,3\n', 3, "3 fields where the header has 2", id="too many"),
        pytest.param(b"a,b\n1,2,\n", 2, "3 fields where the header has 2", id="final comma"),
        pytest.param(b"a,b\n1,2\ntotal", 3, "1 fields where the header has 2", id="cut off"),
        pytest.param(b'a,b\n""', 2, "1 fields where the header has 2", id="quotes are not blank"),
        pytest.param(b"\n\na,c\n1,2\n", 3, "column 'b' is missing", id="missing column"),
        pytest.param(b'a|b\n"1,2"|3\n', 1, "column 'a' is missing", id="other delimiter"),
        pytest.param(b"a,b\r1,2\r", 1, "column 'b' is missing", id="only carriage returns"),
        pytest.param(b"\n a,b,A\n1,2,3\n", 2, "column 'a' is repeated", id="repeated column"),
        pytest.param(b"a,x,b,X\n1,2,3,4\n", 1, "column 'x' is repeated", id="repeated extra"),
        pytest.param(b"", None, "there is no header", id="empty"),
        pytest.param(b"\xef\xbb\xbf\n \r\n", None, "there is no header", id="blank"),
    ],
)
def test_malformed(raw: bytes, line: int | None, problem: str) -> None:
    with pytest.raises(MalformedFile) as caught:
        read(raw)
    assert (caught.value.file, caught.value.line) == ("file.csv", line)
    assert caught.value.problem == problem


@settings(deadline=None)
@given(st.data(), st.lists(st.fixed_dictionaries({"a": TEXTS, "b": TEXTS}), max_size=4))
def test_what_was_written_is_read(data: st.DataObject, records: list[Mapping[str, str]]) -> None:
    written: WrittenFile = data.draw(written_files(COLUMNS, records))
    expected = [[trim(record[column]) or None for column in COLUMNS] for record in records]
    assert read(bytes(written)) == expected


def lines_as_read(text: str) -> list[list[str]] | None:
    try:
        lines = [line.fields for line in Reader("file.csv", text).lines()]
    except MalformedFile:
        return None
    return with_text(lines)


def with_text(lines: list[list[str]]) -> list[list[str]]:
    """Those that have some, trimmed: a line of nothing but separators is blank to us alone."""
    trimmed = [[trim(field) for field in fields] for fields in lines]
    return [fields for fields in trimmed if any(fields)]


def lines_as_csv_reads(text: str) -> list[list[str]] | None:
    try:
        return with_text(list(csv.reader(io.StringIO(text, newline=""), strict=True)))
    except csv.Error:
        return None


# Without white space, the csv module follows the same rules on any text, well-formed or not.
@settings(deadline=None, max_examples=1000)
@given(st.text('",\nx\\', max_size=24))
def test_csv_module_reads_any_text_alike(text: str) -> None:
    assert lines_as_read(text) == lines_as_csv_reads(text)


PLAIN_FIELDS = st.text(st.sampled_from('ab,"\n\r \té\\;'), max_size=5).filter(
    lambda text: text == trim(text)
)


# A record of one empty or line-feed field is left out: alone on its line it may count as blank.
@settings(deadline=None)
@given(
    st.lists(st.lists(PLAIN_FIELDS, min_size=2, max_size=4), max_size=4),
    st.sampled_from(("\n", "\r\n")),
    st.sampled_from((csv.QUOTE_MINIMAL, csv.QUOTE_ALL)),
)
def test_what_the_csv_module_writes_is_read(
    records: list[list[str]], ending: str, quoting: int
) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator=ending, quoting=quoting).writerows(records)  # type: ignore[arg-type]
    assert lines_as_read(file.getvalue()) == with_text(records)
