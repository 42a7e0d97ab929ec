"""Workbooks (.xlsx) as the tests want them."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import openpyxl
from openpyxl.utils.datetime import CALENDAR_MAC_1904, CALENDAR_WINDOWS_1900

Rows = Sequence[Sequence[Any]]


def workbook(sheets: Mapping[str, Rows], *, hidden: str = "", is_of_1904: bool = False) -> bytes:
    """One with these sheets, as openpyxl writes it."""
    book = openpyxl.Workbook()
    book.epoch = CALENDAR_MAC_1904 if is_of_1904 else CALENDAR_WINDOWS_1900
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
        if name == hidden:
            sheet.sheet_state = "hidden"
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def rows_of(content: bytes) -> list[list[str]]:
    """The fields of a CSV file."""
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
