"""The header: where it is, what separates its columns, and how they answer to those wanted."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from seed_csv.characters import visible
from seed_csv.errors import SeedFileError
from seed_csv.opening import SAVE_AS
from seed_csv.records import Record, RecordParser
from seed_csv.source import LONE_CARRIAGE_RETURNS, Source

MAX_COLUMNS = 10_000
_NAMES_SHOWN, _LONGEST_NAME = 20, 60
_LINES_SEARCHED = 100
_SEPARATORS = (";", "\t")
# As spreadsheets write it, for one another.
_DECLARED = re.compile(r'"?sep=([!#-~\t ])"?\s*', re.ASCII)


class Header(NamedTuple):
    """A header that has been read, and where the wanted columns stand in the file.

    Attributes:
        found: every name of the header, in the file's order.
        columns: the wanted names as they were asked for, in the file's order.
        positions: the place of each of `columns` in a record, from 0.
        extra: names of the columns nobody asked for.
        delimiter: what stands between columns.
        end: the place of the byte after the header.
        next_line: number of the line after it.
    """

    found: tuple[str, ...]
    columns: tuple[str, ...]
    positions: tuple[int, ...]
    extra: tuple[str, ...]
    delimiter: str
    end: int
    next_line: int


def read_header(source: Source, wanted: Sequence[str] | None, delimiter: str) -> Header:
    """Find the header, and what separates its columns if the wanted ones are known.

    Raises:
        SeedFileError: there is none, or a wanted column is missing, or one repeats.
    """
    declared = _declared(source)
    if declared or wanted is None or delimiter != ",":
        return _read(source, wanted, declared or delimiter)
    try:
        return _read(source, wanted, delimiter)
    except SeedFileError as error:
        for separator in _SEPARATORS:
            try:
                return _read(source, wanted, separator)
            except SeedFileError:  # noqa: PERF203 - there are two
                continue
        look = _look_of(source, wanted, error.line) if error.line else None
        if look is None:
            raise
        raise SeedFileError(error.file, f"{look}; {error.message}", error.line) from error


def _declared(source: Source) -> str | None:
    """What a first line `sep=…` says."""
    first = next(source.header_lines(), None)
    line = _DECLARED.fullmatch(first.data.decode(errors="replace")) if first else None
    return line and line[1]


def _read(source: Source, wanted: Sequence[str] | None, delimiter: str) -> Header:
    header = next(_records(source, delimiter), None)
    if header is None:
        raise SeedFileError(source.name, "the file is empty; its first line must name the columns")
    record, next_line = header
    columns = _matched(source.name, record, wanted)
    return Header(tuple(record.fields), *columns, delimiter, source.tell(), next_line)


def _records(source: Source, delimiter: str) -> Iterator[tuple[Record, int]]:
    """The records from the first line on, each with the number of the line after it."""
    parser = RecordParser(delimiter, source.refuse)
    for chunk in source.header_lines():
        for text in chunk.lines(source.refuse):
            is_declaration = chunk.line == 1 and _DECLARED.fullmatch(text)
            record = None if is_declaration else parser.feed(chunk.line, text)
            if record:
                yield record, chunk.line + 1
    parser.finish()


def _matched(
    file: str, header: Record, wanted: Sequence[str] | None
) -> tuple[tuple[str, ...], tuple[int, ...], tuple[str, ...]]:
    """The wanted columns, their places, and the others, without regard to case or order."""
    if any("\r" in name for name in header.fields):
        raise SeedFileError(file, LONE_CARRIAGE_RETURNS)
    if len(header.fields) > MAX_COLUMNS:
        message = f"{len(header.fields)} columns, where a file may have {MAX_COLUMNS}"
        raise SeedFileError(file, message, header.line)
    found = header.fields
    names = [name for name in found if name] if wanted is None else list(wanted)
    _refuse_repeated(file, header, names)
    asked = {name.casefold(): name for name in names}
    places = [(asked[n.casefold()], i) for i, n in enumerate(found) if n.casefold() in asked]
    missing = [name for name in names if name not in dict(places)]
    if missing:
        raise _missing(file, header, names, missing)
    if not places:
        raise SeedFileError(file, "the header names no columns", header.line)
    taken = dict(places).values()
    extra = (
        visible(name[:_LONGEST_NAME]) or f"column {i + 1} (no name)"
        for i, name in enumerate(found)
        if i not in taken
    )
    columns, positions = zip(*places, strict=True)
    return columns, positions, tuple(extra)


def _look_of(source: Source, wanted: Sequence[str], at: int) -> str | None:
    """What a file looks like that has no header of ours on the line `at`."""
    lines = [
        chunk.data.decode(errors="replace")
        for chunk in islice(source.header_lines(), _LINES_SEARCHED)
    ]
    text = "".join(lines).lstrip()
    if text.startswith("<"):
        return "this looks like an HTML or XML page, not a CSV file"
    names = {name.casefold() for name in wanted}
    for number, line in enumerate(lines, 1):
        if names <= _names(line, "|"):
            return (
                f"the columns are separated by vertical bars where commas are expected; {SAVE_AS}"
            )
        fits = any(names <= _names(line, separator) for separator in (",", *_SEPARATORS))
        if fits and number > at:
            return f"line {number} names the columns; remove the lines above it"
    return None


def _names(line: str, separator: str) -> set[str]:
    return {name.strip(' \t\r\n"').casefold() for name in line.split(separator)}


def _refuse_repeated(file: str, header: Record, wanted: list[str]) -> None:
    counts = Counter(name.casefold() for name in header.fields if name)
    repeated = [name for name in header.fields if counts[name.casefold()] > 1]
    if repeated:
        message = f"the column {repeated[0]} is there {counts[repeated[0].casefold()]} times"
        raise SeedFileError(file, f"{message}; {_compared(header, wanted)}", header.line)


def _missing(file: str, header: Record, wanted: list[str], missing: list[str]) -> SeedFileError:
    noun = "the column" if len(missing) == 1 else "the columns"
    verb = "is" if len(missing) == 1 else "are"
    message = f"{noun} {', '.join(missing)} {verb} missing; {_compared(header, wanted)}"
    return SeedFileError(file, message, header.line)


def _compared(header: Record, wanted: list[str]) -> str:
    return f"found: {listed(header.fields)}; wanted: {', '.join(wanted)}"


def listed(names: Sequence[str]) -> str:
    """The first names of a header, each cut short, in words."""
    shown = ", ".join(name[:_LONGEST_NAME] or "(no name)" for name in names[:_NAMES_SHOWN])
    left = len(names) - _NAMES_SHOWN
    return f"{shown} and {left} more" if left > 0 else shown
