"""The one error of this package."""

from seed_csv.characters import visible


class SeedFileError(Exception):
    """A file that cannot be read by the rules, in words for the person who made it.

    Attributes:
        file: base name of the file, such as ``users.csv``.
        line: line as an editor counts it, from 1; None when the whole file is at fault.
        message: what is wrong and, where there is one, the way out. Text of the file that stands in
            it is safe to print.
    """

    def __init__(self, file: str, message: str, line: int | None = None) -> None:
        where = file if line is None else f"{file}, line {line}"
        message = visible(message)
        super().__init__(f"{where}: {message}")
        self.file = file
        self.line = line
        self.message = message
