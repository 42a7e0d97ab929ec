"""A program of its own: print, as CSV, the sheet of a workbook (.xlsx) that has certain columns.

Apart from who asks for it, since a workbook of 2 KB can want more memory and time than there is.
"""

import csv
import os
import re
import resource
import sys
import threading
import time
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import IO, Any, NamedTuple

EXPLAINED = 3  # status: what is wrong stands on standard error
TOO_LARGE = (
    "this workbook takes more memory or time than there is for one; save the sheet as CSV UTF-8, "
    "or remove the others"
)
_BYTES, _SECONDS, _FILE_BYTES = 1 << 30, 300, 4 << 30
_ROWS_SEARCHED = 100  # of each sheet, for the header
# What openpyxl gives as empty. A formula whose result is an empty text says that it is a text.
_WITHOUT_RESULT = re.compile(
    rb'<c(?![^>]* t="str")[^>]*><f(?:[^>]*/>|[^>]*>[^<]*</f>)(?:<v */>|<v></v>)?</c>'
)
# What XML cannot hold, and an underscore, which is written so where it would begin such an escape.
# Not others: of texts that sheets share, openpyxl has read that underscore already.
_ESCAPED = re.compile("_x(00(?:0[1-8BCDEF]|1[0-9A-F]|5F)|FFF[EF])_")
_NEVER_CALCULATED = (
    "a formula in it was never calculated, as in a workbook that a program has made; open it in "
    "Excel or LibreOffice, save it, and take that"
)


class _Found(NamedTuple):
    """The row of a sheet that comes nearest to the header, counted from 1, and what it lacks."""

    sheet: Any
    row: int
    names: list[str]
    lacking: list[str]


def main(path: str, days: str, *columns: str) -> None:
    """Print the sheet; where it was found, or what is wrong, goes to standard error.

    Args:
        path: the workbook.
        days: how to print days, for strftime.
        columns: those of the sheet that is looked for.
    """
    from openpyxl import load_workbook  # noqa: PLC0415 - here alone, for it takes long to load

    _set_limits()
    warnings.simplefilter("ignore")  # of openpyxl, on what it does not read
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - by its path openpyxl wants it called .xlsx
            _require_results(file)
            _print(load_workbook(file, read_only=True, data_only=True), days, columns)
    except MemoryError:
        _end(TOO_LARGE)
    except OSError as error:
        _end(f"it cannot be written as CSV: {error.strerror}")


def _set_limits() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_BYTES, _FILE_BYTES))
    with suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (_BYTES, _BYTES))
    threading.Thread(target=_watch_memory, daemon=True).start()


def _watch_memory() -> None:
    """End the process when it has too much, for not every system has a limit to hold it to."""
    while _resident() < _BYTES:
        time.sleep(0.1)
    print(TOO_LARGE, file=sys.stderr, flush=True)
    os._exit(EXPLAINED)


def _resident() -> int:
    """Bytes of memory that the process has, or had at most."""
    with suppress(OSError), open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # Elsewhere, as on macOS: in bytes.


def _require_results(file: IO[bytes]) -> None:
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            if re.fullmatch(r"xl/worksheets/[^/]+\.xml", name):
                with archive.open(name) as part:
                    rest = b""
                    while block := part.read(1 << 20):
                        cells = rest + block
                        if _WITHOUT_RESULT.search(cells):
                            _end(_NEVER_CALCULATED)
                        rest = cells.rpartition(b"</c>")[2]


def _print(book: Any, days: str, columns: Sequence[str]) -> None:
    # Some writers state too small an area, beyond which nothing would be read.
    sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
    for sheet in sheets:
        sheet.reset_dimensions()
    looked_at = [_look(sheet, days, columns) for sheet in sheets]
    found = [each for each in looked_at if not each.lacking]
    if len(found) != 1:
        _end(_not_one(looked_at, columns))
    [(sheet, header, names, _)] = found
    places = [place for place, name in enumerate(names) if name]
    area = slice(places[0], places[-1] + 1)
    sys.stdout.reconfigure(encoding="utf-8-sig")  # type: ignore[union-attr]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(names[area])
    width = len(names[area])
    for row in islice(sheet.iter_rows(values_only=True), header, None):
        fields = [text(value, days) for value in row[area]]
        if any(fields):
            writer.writerow(fields + [""] * (width - len(fields)))
    print(f"sheet “{sheet.title}”, whose row {header} names the columns", file=sys.stderr)


def _look(sheet: Any, days: str, columns: Sequence[str]) -> _Found:
    def rows() -> Iterator[_Found]:
        first = islice(sheet.iter_rows(values_only=True), _ROWS_SEARCHED)
        for number, row in enumerate(first, 1):
            names = [text(value, days).strip() for value in row]
            known = {name.casefold() for name in names}
            yield _Found(sheet, number, names, [c for c in columns if c.casefold() not in known])

    return min(rows(), key=lambda row: len(row.lacking), default=_Found(sheet, 1, [], [*columns]))


def _not_one(looked_at: Sequence[_Found], columns: Sequence[str]) -> str:
    names = [f"“{each.sheet.title}”" for each in looked_at if not each.lacking]
    if names:
        return f"the sheets {' and '.join(names)} both have the columns; leave one of them"
    found = [
        f"“{sheet.title}”, row {row}, lacks {', '.join(lacking)}"
        if len(lacking) < len(columns)
        else f"“{sheet.title}” has none of them"
        for sheet, row, _, lacking in looked_at[:5]
    ]
    what = "; ".join(found) or "all are hidden"
    return f"no sheet has the columns {', '.join(columns)}: {what}"


def text(value: Any, days: str) -> str:
    """The value of a cell as a field of a CSV file, as the sheet means it."""
    if value is None or isinstance(value, str):
        return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), value or "")
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, datetime) and value == value.replace(hour=0, minute=0, second=0):
        return value.strftime(days)
    if isinstance(value, timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return str(value)


def _number(value: float) -> str:
    """With the 15 digits that Excel keeps; of more none are made up: an id may have had others."""
    digits = f"{value:.15g}"
    if "e" not in digits:
        return digits
    return format(Decimal(digits), "f") if abs(value) < 1e15 else digits.upper()


def _end(message: str) -> None:
    print(message, file=sys.stderr)
    sys.exit(EXPLAINED)


if __name__ == "__main__":
    main(*sys.argv[1:])
