"""Generated files, read three ways that share no code.

`plain_reader` is the rules written down as plainly as can be; `copied` reads what COPY is given
as PostgreSQL does. Between them stand the shortcut and the careful parser, at every chunk border.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from seed_csv import SeedFile, SeedFileError, check

WHITE_SPACE = " \t\n\v\f\r\u00a0\u200b\u2028\ufeff"  # of what is generated here
PADDED_WITH = WHITE_SPACE.replace("\n", "")
HEADER = ["a", "b", "c"]
FIELDS_MISSING = "_fields_missing"

PIECES = st.sampled_from(
    [
        "",
        "x",
        "é",
        "10",
        " ",
        "\t",
        "\u00a0",
        "\r",
        '""',
        "\\.",
        "\\",
        ",",
        "\n",
        "1;2",
        "a b",
        "\v",
        "\u200b",
        "\x1c",
    ]
)
PLAIN = st.sampled_from(["x", "10", "é", "a b", "1;2", "null", "\\N", "", " x", "x\t", '5" pipe'])
PADDING = st.sampled_from(
    ["", "", "", " ", "\t", "\u00a0", " \t ", "\v\f", "\u2028", "\ufeff\u200b"]
)
QUOTED = st.lists(PIECES, max_size=4).map(lambda pieces: '"' + "".join(pieces) + '"')
FIELD = st.tuples(PADDING, PLAIN | QUOTED, PADDING).map("".join)
ROW = st.lists(FIELD, min_size=3, max_size=3).map(",".join)
LINE = (
    ROW
    | ROW
    | ROW
    | st.sampled_from(["", " ", "\t\r", ",,", ",", " , ,\u200b", "x", "x,y,z,", '"', 'x,"y"z,'])
)
FILES = st.lists(st.tuples(LINE, st.sampled_from(["\n", "\n", "\r\n"])).map("".join), max_size=12)
NOISE = st.text(st.sampled_from('ab,,,"\n\n \t\r\u00a0\\.é'), max_size=60)


class BadLineError(Exception):
    """A problem, by the line that has to be named."""


def plain_reader(text: str, may_end_early: bool) -> list[list[str | None]]:
    at, line, records = 0, 2, []
    while at < len(text):
        first, fields = line, []
        rest = text[at:].partition("\n")[0]
        if not rest.strip(WHITE_SPACE + ","):
            at, line = at + len(rest) + 1, line + 1
            continue
        while True:
            field, end, line = plain_field(text, at, line, first)
            fields.append(field.strip(WHITE_SPACE) or None)
            at = end + 1
            if text[end : end + 1] != ",":
                break
        line += 1
        missing = HEADER[len(fields) :]
        is_cut_off = at > len(text)
        if len(fields) > len(HEADER) or (missing and (is_cut_off or not may_end_early)):
            raise BadLineError(first)
        early = [", ".join(missing) or None] if may_end_early else []
        records.append([*fields, *[None] * len(missing), *early])
    return records


def plain_field(text: str, at: int, line: int, first: int) -> tuple[str, int, int]:
    start, field, opened = at, "", line
    while text[at : at + 1] in tuple(PADDED_WITH):
        at += 1
    if text[at : at + 1] != '"':
        while text[at : at + 1] not in ("", ",", "\n"):
            at += 1
        return text[start:at], at, line
    at += 1
    while text[at : at + 1] != '"' or text[at : at + 2] == '""':
        if at >= len(text):
            raise BadLineError(opened)
        field += text[at]
        line += text[at] == "\n"
        at += 1 + (text[at] == '"')
    at += 1
    while text[at : at + 1] in tuple(PADDED_WITH):
        at += 1
    if text[at : at + 1] not in ("", ",", "\n"):
        raise BadLineError(first)
    return field, at, line


def copied(data: str) -> list[list[str | None]]:
    """Read what COPY is given: quotes switch, and only an empty field without any is null."""
    rows: list[list[str | None]] = []
    row: list[str | None] = []
    field, quoted, inside, at = "", False, False, 0
    while at < len(data):
        letter = data[at]
        if letter == '"' and inside and data[at + 1 : at + 2] == '"':
            field, at = field + '"', at + 1
        elif letter == '"':
            quoted, inside = True, not inside
        elif letter in ",\n" and not inside:
            assert field != "\\." or quoted or row or letter == ",", "taken as the end of the data"
            row.append(field if field or quoted else None)
            field, quoted = "", False
            if letter == "\n":
                rows, row = [*rows, row], []
        else:
            assert letter != "\r" or inside, "refused outside quotes"
            field += letter
        at += 1
    assert data.endswith("\n") or not data
    assert not inside
    return rows


def expected(text: str, may_end_early: bool = False) -> list[list[str | None]] | int:
    try:
        return plain_reader(text, may_end_early)
    except BadLineError as error:
        return int(error.args[0])


def loaded(
    path: Path, chunk_size: int, columns: list[str] = HEADER
) -> list[list[str | None]] | int | None:
    """Every record; with FIELDS_MISSING wanted, that is the last column."""
    records: list[list[str | None]] = []
    try:
        with SeedFile(path, columns, chunk_size=chunk_size) as file:
            for part in file.copy_parts():
                rows = copied(b"".join(part.chunks).decode())
                left = [None] * (len(columns) - len(part.columns))
                records += [[*row, *left] for row in rows]
    except SeedFileError as error:
        return error.line
    return records


@pytest.mark.parametrize("chunk_size", [1, 2, 5, 16, 50, 1 << 18])
@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(text=FILES.map("".join) | NOISE, may_end_early=st.booleans())
def test_every_way_of_reading_agrees(
    csv_file: Callable[..., Path], text: str, may_end_early: bool, chunk_size: int
) -> None:
    path = csv_file("a,b,c\n" + text)
    records = expected(text, may_end_early)
    columns = [*HEADER, FIELDS_MISSING] if may_end_early else HEADER
    assert loaded(path, chunk_size, columns) == records
    report = check(path, columns)
    if isinstance(records, list):
        assert report.problems == ()
        assert report.records == len(records)
    else:
        # The line of a quote without end comes after the problems of the lines before it.
        assert report.problems[0].line == records


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=FILES.map("".join))
def test_leaving_columns_out_changes_nothing_else(csv_file: Callable[..., Path], text: str) -> None:
    records = expected(text)
    if isinstance(records, list):
        records = [[row[0], row[2]] for row in records]
    assert loaded(csv_file("a,b,c\n" + text), 1 << 18, ["c", "a"]) == records
