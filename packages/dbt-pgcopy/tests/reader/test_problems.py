"""What is said of a file that breaks the rules: the file, the line, what is wrong, the way out."""

import errno
import itertools
from collections.abc import Callable
from pathlib import Path
from time import process_time

import pytest
from seed_csv import SeedFile, SeedFileError, check, refuse_unreadable

Written = Callable[..., Path]
COLUMNS = ["user_id", "name"]


def problem(path: Path, columns: list[str] | None = None) -> str:
    """The first problem of a file, which loading and checking must agree on."""
    report = check(path, columns or COLUMNS)
    with pytest.raises(SeedFileError) as caught, SeedFile(path, columns or COLUMNS) as file:
        [list(part.chunks) for part in file.copy_parts()]
    assert str(caught.value) == str(report.problems[0])
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("user_id,name\n1,A\n2\n", "line 3: 1 field where 2 are expected (user_id, name)"),
        ("user_id,name\n\n1,A,x\n", "line 3: 3 fields where 2 are expected (user_id, name)"),
        ("user_id,name\n1,A,B\n2\n3,C\n", "line 2: 3 fields where 2 are expected"),
        ('user_id,name\n1,"A\nB\nC\n', 'line 2: a quote (") is opened here and never closed'),
        ('user_id,name\n"1\n2",A,"x\n', 'line 3: a quote (") is opened here and never closed'),
        ('user_id,name\n1,"A" B\n', 'line 2: text after a closing quote ("): “B”'),
        ('user_id,name\n"1\n\n2"3,A\n', 'line 2: text after a closing quote ("): “3,A”'),
        ('user_id,name\n"1\n2",A\n3\n', "line 4: 1 field where 2 are expected"),
        (b"user_id,name\n1,A\x00\n", "line 2: a NUL byte (0x00)"),
        (b"user_id,name\n1,A\n2,Ren\xe9\n", "line 3: byte 0xE9 is not UTF-8 text"),
        (b"user_id,n\xe9me\n1,A\n", "line 1: byte 0xE9 is not UTF-8 text"),
        ("", "the file is empty; its first line must name the columns"),
        ("\n \n\t\n", "the file is empty"),
        (
            "user_id\n1\n",
            "line 1: the column name is missing; found: user_id; wanted: user_id, name",
        ),
        ("\nid,x\n1,A\n", "line 2: the columns user_id, name are missing; found: id, x"),
        ("user_id,Name, NAME\n", "line 1: the column Name is there 2 times; found:"),
        ("user_id,name,x,x\n", "line 1: the column x is there 2 times"),
        ("user_id|name\n1|A\n", "line 1: the columns are separated by vertical bars where commas"),
        (
            "#, Run 42\n#\n\nuser_id;name\n",
            "line 1: line 4 names the columns; remove the lines above",
        ),
        ("<!DOCTYPE html>\n<p>", "line 1: this looks like an HTML or XML page"),
        (" \n<?xml>\n", "line 2: this looks like an HTML or XML page"),
        (b"PK\x03\x04\x14\x00", "this is a ZIP archive, as an Excel workbook (.xlsx) is"),
        (b"\xd0\xcf\x11\xe0\xa1", "this is an Excel workbook that is old (.xls) or has a password"),
        (
            "user_id,name\n1,A\n2",
            "line 3: 1 field where 2 are expected (user_id, name); the file ends",
        ),
        (
            "user_id,name\n1,A\r2,B\r",
            "line 2: 3 fields where 2 are expected (user_id, name); its lines",
        ),
        (b"user_id,name\n1,A\n\xa0\n", "line 3: byte 0xA0 is not UTF-8 text; the file looks"),
        (b"user_id,name\n\x85", "line 2: byte 0x85 is not UTF-8 text; the file looks"),
        (b"\x1c\xe9\x1d\n", "line 1: byte 0xE9 is not UTF-8 text; the file looks like Latin-1"),
        (
            "user_id,name\n1,A\n".encode("utf-16") + b"\xd8",
            "line 3: byte 0xD8 is not utf-16 text; save it as",
        ),
        (",".join(map(str, range(20_000))), "line 1: 20000 columns, where a file may have 10000"),
        (
            "user_id,na\x1b[31mme\n",
            "line 1: the column name is missing; found: user_id, na<U+001B>[31",
        ),
        ('user_id,name\n1,"A"\x9b2J\n', 'line 2: text after a closing quote ("): “<U+009B>2J”'),
        ("user_id,name\r1,A\r2,B\r", "its lines end in a carriage return only"),
        ("user_id,name\n" + "1" * (2 << 20), "line 2: the line is over 1 MiB long"),
        ("user_id\r" * (1 << 18), "its lines end in a carriage return only"),
        (
            "user_id,name\n1,A\n".encode("utf-16-le"),
            "this is UTF-16 text without a byte order mark",
        ),
        (
            "user_id,name\n1,A\n".encode("utf-16-be"),
            "this is UTF-16 text without a byte order mark",
        ),
        ("\ufeffuser_id,name\n".encode("utf-32-le"), "this is UTF-32 text, not UTF-8"),
        (bytes(1 << 12), "line 1: a NUL byte (0x00), which no text has"),
    ],
    ids=itertools.count(),
)
def test_problem(csv_file: Written, content: bytes | str, message: str) -> None:
    said = problem(csv_file(content))
    separator = ", " if message.startswith("line") else ": "
    assert said.startswith(f"users.csv{separator}{message}")


def test_a_latin_1_file_is_told_how_it_reads_and_how_to_save_it(csv_file: Written) -> None:
    said = problem(csv_file("user_id,name\n1,René Müller\n".encode("cp1252")))
    assert "Latin-1 or Windows-1252, where it would read “1,René" in said
    assert 'save it as "CSV UTF-8 (comma delimited)" and try again' in said


def test_a_header_without_names(csv_file: Written) -> None:
    with pytest.raises(SeedFileError, match=r"users\.csv, line 1: the header names no columns"):
        SeedFile(csv_file('"",,\n1,2,3\n'))


@pytest.mark.parametrize("lines", [1, 1 << 10])
def test_a_quote_without_end_is_given_up_after_a_mebibyte(csv_file: Written, lines: int) -> None:
    line = "x" * ((3 << 20) // lines // 4) + "\n"
    path = csv_file('user_id,name\n1,A\n2,"' + line * lines * 4 + '"\n')
    assert problem(path).startswith("users.csv, line 3: ")


def test_a_missing_file(tmp_path: Path) -> None:
    assert problem(tmp_path / "users.csv") == f"users.csv: there is no such file in {tmp_path}"


def test_a_folder(tmp_path: Path) -> None:
    assert "is a folder or a device, not a file" in problem(tmp_path)


def test_an_unreadable_file(csv_file: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    path = csv_file("user_id,name\n")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # root may read every file
    assert problem(path) == "users.csv: the file cannot be read: Permission denied"


def test_check_stops_after_the_first_problems(csv_file: Written) -> None:
    lines = [b"user_id,name", b"1,A", b"2", b"3,\xff", b"4,D", b'5,"E"x', *[b"6"] * 500_000]
    began = process_time()
    report = check(csv_file(b"\n".join(lines)), COLUMNS)
    assert [error.line for error in report.problems] == [3, 4, 6, 7, 8, 9, 10, 11, 12, 13]
    assert {error.file for error in report.problems} == {"users.csv"}
    assert process_time() - began < 0.5


def test_a_header_of_many_columns_makes_a_short_message(csv_file: Written) -> None:
    said = problem(csv_file(",".join(f"column{i}" * 50 for i in range(1000))))
    assert "and 980 more; wanted: user_id, name" in said
    assert len(said) < 2000


@pytest.mark.parametrize("other", ["Users.csv", "users.csv.txt", "USERS.CSV"])
def test_a_missing_file_that_is_there_under_almost_its_name(tmp_path: Path, other: str) -> None:
    (tmp_path / other).touch()
    assert problem(tmp_path / "users.csv") == (
        f"users.csv: there is no such file in {tmp_path}, but there is a {other}: rename it"
    )


@pytest.mark.parametrize("blank", ["\n", ",\n", " ,\u200b\r\n"])
def test_blank_lines_by_the_million_take_no_time(csv_file: Written, blank: str) -> None:
    path = csv_file("user_id,name\n1,A\n" + blank * 1_000_000 + "2,B\n")
    began = process_time()
    assert check(path, COLUMNS).records == 2
    assert process_time() - began < 10


def test_check_after_a_quote_without_end(csv_file: Written) -> None:
    report = check(csv_file('user_id,name\n1\n2,"A\n3\n'), COLUMNS)
    assert [error.line for error in report.problems] == [2, 3]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\n\xe9\n", "users.csv, line 2: byte 0xE9 is not UTF-8 text"),
        (b"a\n\0\n", "users.csv, line 2: a NUL byte (0x00)"),
        ("a\n1\n".encode("utf-16"), "users.csv: this is UTF-16 text"),
    ],
    ids=["Latin-1", "NUL", "UTF-16"],
)
def test_refuse_unreadable(csv_file: Written, content: bytes, message: str) -> None:
    with pytest.raises(SeedFileError) as caught:
        refuse_unreadable(csv_file(content))
    assert str(caught.value).startswith(message)


def test_refuse_unreadable_lets_any_text_pass(csv_file: Written, tmp_path: Path) -> None:
    refuse_unreadable(csv_file('any "text",\n\n'))
    refuse_unreadable(tmp_path / "missing.csv")
