"""Says what is in a file and what is wrong with it, without loading it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seed_csv.errors import SeedFileError
from seed_csv.seed_file import SeedFile
from seed_csv.source import Chunk, Source


@dataclass(frozen=True)
class Report:
    """What `check` found.

    Attributes:
        file: name of the file.
        records: records read, problems left out.
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
    delimiter: str = ",",
    name: str | None = None,
    limit: int = 10,
) -> Report:
    """Read a file to its end and say what is in it and what is wrong with it.

    Takes the arguments of `SeedFile`, and `limit`, the number of problems to name.
    """
    problems: list[SeedFileError] = []
    file = name or Path(path).name

    def report(line: int, message: str) -> None:
        problems.append(SeedFileError(file, message, line))

    records = 0
    header: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    try:
        with SeedFile(path, columns, delimiter=delimiter, name=name) as seed:
            header, extra = seed.header, seed.extra_columns
            for count in seed.count(report):
                records += count
                del problems[limit:]
    except SeedFileError as error:
        problems.append(error)
    return Report(file, records, header, extra, tuple(problems[:limit]))


def refuse_unreadable(path: str | Path, name: str | None = None) -> None:
    """Raise if a file is there but is no text in UTF-8, whatever its shape.

    For files that another program is going to read whole.

    Raises:
        SeedFileError: with the line at fault.
    """
    if not Path(path).is_file():
        return
    file = name or Path(path).name
    Source(Path(path), file).close()

    def refuse(line: int, message: str) -> None:
        raise SeedFileError(file, message, line)

    for _ in Chunk(Path(path).read_bytes(), 1).lines(refuse):
        pass
