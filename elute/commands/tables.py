"""Tables for a terminal."""

import io
import shutil
from collections.abc import Iterable, Sequence
from typing import Any

import agate  # type: ignore[import-untyped]
from seed_csv import printable


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], widest: int = 28) -> str:
    """Draw rows below the names of their columns; null is empty, and no value steers the terminal.

    Columns that do not fit the terminal are left out, and three dots say so. No column has more
    than `widest` characters.
    """
    text = [["" if value is None else printable(str(value)) for value in row] for row in rows]
    drawing = io.StringIO()
    agate.Table(text, columns, [agate.Text(cast_nulls=False)] * len(columns)).print_table(
        output=drawing,
        max_rows=None,
        max_columns=_columns_that_fit(columns, text, widest),
        max_column_width=widest,
    )
    return drawing.getvalue()


def _columns_that_fit(columns: Sequence[str], rows: list[list[str]], widest: int) -> int | None:
    """How many columns to draw; None for all. agate puts `| ` before each and ` |` at the end."""
    room = shutil.get_terminal_size((160, 24)).columns - len("| ... |")
    for position, (name, *values) in enumerate(zip(columns, *rows, strict=True)):
        room -= 3 + min(widest, max(map(len, [name, *values])))
        if room < 0:
            return max(position, 1)
    return None
