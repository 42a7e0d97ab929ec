"""Says what is in a file and what is wrong with it, without loading it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seed_csv.errors import SeedFileError
from seed_csv.opening import SAVE_AS, Recoded, open_as_utf8
from seed_csv.seed_file import SeedFile
from seed_csv.source import Chunk

MOST_PROBLEMS = 10


@dataclass(frozen=True)
class Report:
    """What `check` found.

    Attributes:
        file: name of the file.
        records: records read, problems left out; only those of the beginning if there are
            MOST_PROBLEMS.
        columns: the header as it stands in the file; empty if it could not be read.
        extra_columns: those of them that nobody asked for.
        problems: the first problems, in the order of the file; none if the file will load.
    """

    file: str
    records: int
    columns: tuple[str, ...]
    extra_columns: tuple[str, ...]
    problems: tuple[SeedFileError, ...]


def check(
    path: str | Path,
    columns: Sequence[str] | None = None,
    *,
    name: str | None = None,
    encoding: str = "utf-8",
) -> Report:
    """Read a file and say what is in it and what is wrong with it.

    Its arguments are those of `SeedFile`.
    """
    problems: list[SeedFileError] = []
    file = name or Path(path).name

    def report(line: int, message: str) -> None:
        problems.append(SeedFileError(file, message, line))
        if len(problems) == MOST_PROBLEMS:
            raise _EnoughError

    records = 0
    header: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    try:
        with SeedFile(path, columns, name=name, encoding=encoding) as seed:
            header, extra = seed.header, seed.extra_columns
            for count in seed.count(report):
                records += count
    except _EnoughError:
        pass
    except SeedFileError as error:
        problems.append(error)
    return Report(file, records, header, extra, tuple(problems))


class _EnoughError(Exception):
    """There are MOST_PROBLEMS."""


def refuse_unreadable(path: str | Path) -> None:
    """Raise if a file is there but is no text in UTF-8, whatever its shape.

    For files that another program is going to read whole.

    Raises:
        SeedFileError: with the line at fault.
    """
    if not Path(path).is_file():
        return
    file = Path(path).name
    with open_as_utf8(Path(path), file, "utf-8") as opened:
        if isinstance(opened.raw, Recoded):
            raise SeedFileError(file, f"this is UTF-16 text, not UTF-8; {SAVE_AS}")

    def refuse(line: int, message: str) -> None:
        raise SeedFileError(file, message, line)

    for _ in Chunk(Path(path).read_bytes(), 1).lines(refuse):
        pass
