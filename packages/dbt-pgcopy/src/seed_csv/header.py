"""The header: which columns a file has, and how they answer to the ones that are wanted."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from seed_csv.errors import SeedFileError
from seed_csv.records import Record

_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}


class Layout(NamedTuple):
    """Where the wanted columns stand in a file.

    Attributes:
        found: every name of the header, in the file's order.
        columns: the wanted names as they were asked for, in the file's order.
        positions: the place of each of `columns` in a record, from 0.
        extra: names of the columns nobody asked for.
    """

    found: tuple[str, ...]
    columns: tuple[str, ...]
    positions: tuple[int, ...]
    extra: tuple[str, ...]


def lay_out(file: str, header: Record, wanted: Sequence[str] | None) -> Layout:
    """Match a header with the wanted columns, without regard to case or order.

    Args:
        file: name of the file, for messages.
        header: the first record.
        wanted: names of the columns to read; None for every column that has a name.

    Raises:
        SeedFileError: a wanted column is missing or a named one repeats.
    """
    found = tuple(header.fields)
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
    extra = (name or f"column {i + 1} (no name)" for i, name in enumerate(found) if i not in taken)
    columns, positions = zip(*places, strict=True)
    return Layout(found, columns, positions, tuple(extra))


def other_delimiter(line: str, wanted: Sequence[str], delimiter: str) -> str | None:
    """Say so if a header holds the wanted columns, but with something else between them.

    Args:
        line: the header, before it is taken apart.
        wanted: names of the columns to read.
        delimiter: the character that should be between them.
    """
    for other, name_of_other in _DELIMITERS.items():
        names = {name.strip(' \t\r\n"').casefold() for name in line.split(other)}
        fits = len(names) > 1 and names.issuperset(name.casefold() for name in wanted)
        if fits and delimiter not in line:
            return (
                f"the columns are separated by {name_of_other} where "
                f"{_DELIMITERS.get(delimiter, repr(delimiter))} are expected; "
                'save it as "CSV UTF-8 (comma delimited)" and try again'
            )
    return None


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
    found = ", ".join(name or "(no name)" for name in header.fields)
    return f"found: {found}; wanted: {', '.join(wanted)}"
