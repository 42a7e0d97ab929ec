"""What is read of a workbook: the sheet that has the columns, and its values as it means them."""

import io
import os
import subprocess
import sys
import zipfile
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlsxwriter
from seed_csv import Report, SeedFileError

from elute import workbooks
from elute.commands import check
from elute.settings import CHECKOUT, Settings
from elute.workbook_reader import EXPLAINED, TOO_LARGE
from tests.books import rows_of, workbook

HEADER = ["user_id", "name", "email", "signup_date"]
FOUND = "sheet “{}”, whose row {} names the columns"


def read(folder: Path, content: bytes, **settings: str) -> tuple[str, list[list[str]]]:
    """Where users.csv was found in a workbook, and its rows."""
    path, made = folder / "lab.xlsx", folder / "made"
    path.write_bytes(content)
    wanted = Settings.from_environment(settings)
    where = workbooks.convert(wanted, "users.csv", path, made, "lab.xlsx")
    return where, rows_of(made.read_bytes())


def refusal(folder: Path, content: bytes) -> str:
    with pytest.raises(SeedFileError) as raised:
        read(folder, content)
    return str(raised.value)


def test_a_workbook_that_cannot_take_its_place_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "users.xlsx").write_bytes(workbook({"users": [HEADER, [1, "Ada"]]}))
    monkeypatch.setattr(os, "access", lambda *_: False)  # Root may write everywhere.
    environment = {"ELUTE_HOME": str(tmp_path / "home"), "ELUTE_SEEDS_DIR": str(tmp_path)}
    assert check.run(Settings.from_environment(environment), []) == 1
    said = f"users.csv cannot be written, which is made from {tmp_path / 'users.xlsx'}"
    assert said in capsys.readouterr().out


VALUES = [
    (1, "1"),
    (1.0, "1"),
    (0.1, "0.1"),
    (0.1 + 0.2, "0.3"),
    (-2.50, "-2.5"),
    (1e5, "100000"),
    (1e-7, "0.0000001"),
    (123456789012345, "123456789012345"),
    (1234567890123456789, "1.23456789012346E+18"),
    (True, "TRUE"),
    ("#N/A", "#N/A"),
    ("007", "007"),
    (' two\nlines, "and" more ', ' two\nlines, "and" more '),
    ("Ω😀", "Ω😀"),
    (date(2021, 3, 5), "2021-03-05"),
    (datetime(2021, 3, 5, 10, 30), "2021-03-05 10:30:00"),
    (time(1, 2, 3), "01:02:03"),
    (timedelta(hours=30, seconds=5), "30:00:05"),
]


@pytest.mark.parametrize("is_of_1904", [False, True])
def test_a_value_is_what_the_sheet_means(tmp_path: Path, is_of_1904: bool) -> None:
    rows: list[list[Any]] = [HEADER, *([value, "Ada", None, "x"] for value, _ in VALUES)]
    where, found = read(tmp_path, workbook({"Users": rows}, is_of_1904=is_of_1904))
    assert where == FOUND.format("Users", 1)
    assert found == [HEADER, *([field, "Ada", "", "x"] for _, field in VALUES)]


def test_the_memory_of_who_asks_does_not_count(tmp_path: Path) -> None:
    assert b"x" * (1100 << 20)  # Linux hands the peak of a process down to what it starts.
    where, _ = read(tmp_path, workbook({"Users": [HEADER, [1, "Ada", "", ""]]}))
    assert where == FOUND.format("Users", 1)


@pytest.mark.parametrize("formula", ["=1+1", '=""'])
def test_a_formula_that_was_never_calculated_is_refused(tmp_path: Path, formula: str) -> None:
    book = openpyxl.Workbook()
    for row in (HEADER, [1, formula, "x", "y"]):
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    assert "a formula in it was never calculated" in refusal(tmp_path, file.getvalue())


def test_a_formula_is_its_value(tmp_path: Path) -> None:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEADER)
        for place, value in enumerate([2, "ab", "#DIV/0!", True]):
            sheet.write_formula(1, place, "=A9", None, value)
    assert read(tmp_path, file.getvalue())[1][1] == ["2", "ab", "#DIV/0!", "TRUE"]


@pytest.mark.parametrize("has_texts_apart", [True, False])
def test_what_xml_cannot_hold_is_read_as_it_was(tmp_path: Path, has_texts_apart: bool) -> None:
    texts, file = ["a_x0041_b", "bell\a", "_x0000_ _xD83D_ _x7_", "a_b"], io.BytesIO()
    with xlsxwriter.Workbook(file, {"constant_memory": not has_texts_apart}) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate((HEADER, texts)):
            sheet.write_row(number, 0, row)
    assert read(tmp_path, file.getvalue())[1][1] == texts


@pytest.mark.parametrize(
    ("date_format", "field"),
    [("YYYY-MM-DD", "2021-03-05"), ("D/M/YYYY", "2021-03-05"), ("YYYY-DD-MM", "2021-05-03")],
)
def test_a_day_is_written_as_it_will_be_read(tmp_path: Path, date_format: str, field: str) -> None:
    content = workbook({"Users": [HEADER, [1, "Ada", "", date(2021, 3, 5)]]})
    assert read(tmp_path, content, ELUTE_DATE_FORMAT=date_format)[1][1][3] == field


def test_the_sheet_is_found_by_its_columns(tmp_path: Path) -> None:
    table: list[list[Any]] = [
        ["LabLog, November"],
        [],
        [None, "Note", "Email", "signup_date", " USER_ID ", "name"],
        [None, "x", "a@lab.example", None, 1, "Ada"],
        [],
        [None, None, None, None, 2],
    ]
    content = workbook({"Runs": [["user_id", "run"]], "People": table, "Old": table}, hidden="Old")
    where, found = read(tmp_path, content)
    assert where == FOUND.format("People", 3)
    assert found == [
        ["Note", "Email", "signup_date", "USER_ID", "name"],
        ["x", "a@lab.example", "", "1", "Ada"],
        ["", "", "", "2", ""],
    ]


def test_none_or_two_such_sheets_are_refused(tmp_path: Path) -> None:
    content = workbook({"People": [["title"], ["User_ID", "name", "mail"]], "Notes": [["x"]]})
    assert refusal(tmp_path, content) == (
        "lab.xlsx: no sheet has the columns user_id, name, email, signup_date: “People”, row 2, "
        "lacks email, signup_date; “Notes” has none of them"
    )
    content = workbook({"2020": [HEADER], "2021": [HEADER]})
    assert refusal(tmp_path, content) == (
        "lab.xlsx: the sheets “2020” and “2021” both have the columns; leave one of them"
    )


def test_cells_far_away_cost_no_memory(tmp_path: Path) -> None:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEADER)
        sheet.write_row(1, 0, [1, "Ada"])
        sheet.write(1_048_575, 16_383, "XFD1048576")
    assert read(tmp_path, file.getvalue())[1] == [HEADER, ["1", "Ada", "", ""]]


def changed(content: bytes, part: str, text: str) -> bytes:
    """The workbook with another part of that name."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            new.writestr(name, text if name == part else old.read(name))
    return made.getvalue()


def small() -> bytes:
    """One as Excel writes it, with its texts apart."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file) as book:
        book.add_worksheet().write_row(0, 0, HEADER)
    return file.getvalue()


MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
ENTITIES = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 100 if n else "x" * 100}">' for n in range(9))
STRINGS = f"<!DOCTYPE sst [{ENTITIES}]><sst xmlns='{MAIN}'><si><t>&e8;</t></si></sst>"


@pytest.mark.parametrize(
    "content",
    [
        small()[:2000],
        b"PK\x03\x04",
        changed(small(), "xl/sharedStrings.xml", STRINGS),
    ],
)
def test_what_is_no_workbook_is_called_so(tmp_path: Path, content: bytes) -> None:
    assert refusal(tmp_path, content).startswith("lab.xlsx: this is no Excel workbook (.xlsx), or")


def test_memory_is_limited_where_the_system_does_not(tmp_path: Path) -> None:
    """The reader by itself, as on a system that has not that limit, and with a lower one."""
    text = f"<sst xmlns='{MAIN}'><si><t>{'x' * 200_000_000}</t></si></sst>"
    path = tmp_path / "lab.xlsx"
    path.write_bytes(changed(small(), "xl/sharedStrings.xml", text))
    program = (
        "import sys; from elute import workbook_reader as reader\n"
        "reader.resource.RLIMIT_AS = reader.resource.RLIMIT_CORE; reader._BYTES = 100 << 20\n"
        "reader.main(*sys.argv[1:])"
    )
    command = [sys.executable, "-c", program, str(path), "%Y-%m-%d", *HEADER]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=CHECKOUT)
    assert (ended.returncode, ended.stderr.strip()) == (EXPLAINED, TOO_LARGE)


def test_one_of_an_older_kind_or_with_a_password_is_called_so(tmp_path: Path) -> None:
    path = tmp_path / "users.csv"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    report: Report = workbooks.check(Settings.from_environment({}), "users.csv", path)
    [problem] = report.problems
    assert "an Excel workbook that is old (.xls) or has a password" in str(problem)
