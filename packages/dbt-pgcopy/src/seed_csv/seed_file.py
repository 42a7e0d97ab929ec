"""A CSV file, read for COPY or counted: the two uses of one engine."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from seed_csv.header import listed, read_header
from seed_csv.records import RecordParser
from seed_csv.shortcut import Piece, Shortcut
from seed_csv.source import CHUNK_SIZE, LONE_CARRIAGE_RETURNS, Chunk, Source

# Columns that are not in a file: what the reader knows of it, for who wants them.
FIELDS_MISSING = "_fields_missing"
SEPARATOR = "_separator"
OWN_COLUMNS = (FIELDS_MISSING, SEPARATOR)

_CUT_OFF = (
    "the file ends here without a line end, as if it were cut off; export it again, or, if nothing "
    "is missing, end its last line"
)

Report = Callable[[int, str], None]


class Part(NamedTuple):
    """What one COPY takes: its columns, and the records as COPY … (format csv) reads them.

    There is no header; what is empty and unquoted is null.
    """

    columns: tuple[str, ...]
    chunks: Iterator[bytes]


class SeedFile:
    """An open CSV file whose header has been read and matched with the wanted columns.

    Args:
        path: the file.
        columns: names of the wanted columns; None for every column that has a name. If
            `_fields_missing` is among them, a record may end early, and that column gets the names
            of those of the wanted that it lacks.
        delimiter: the character between fields, one of ASCII. With the comma and known columns, the
            file may also have semicolons or tabs, or say itself what it has (`sep=;`).
        name: what to call the file in messages; its base name if None.
        encoding: of a file without a byte order mark.
        chunk_size: bytes to read at once.

    Attributes:
        columns: the wanted columns in the order in which `copy_parts` gives their fields.
        delimiter: the character between fields, in the file and in what COPY is given.
        extra_columns: columns of the file that nobody asked for.
        header: every name of the header, as it stands in the file.

    Raises:
        SeedFileError: the file or its header cannot be read.
    """

    def __init__(  # noqa: PLR0913 - by name, but for the first two
        self,
        path: str | Path,
        columns: Sequence[str] | None = None,
        *,
        delimiter: str = ",",
        name: str | None = None,
        encoding: str = "utf-8",
        chunk_size: int = CHUNK_SIZE,
    ) -> None:
        self.name = name or Path(path).name
        self._chunk_size = chunk_size
        self._may_end_early = columns is not None and FIELDS_MISSING in columns
        if columns is not None:
            columns = [column for column in columns if column not in OWN_COLUMNS]
        self._source = Source(Path(path), self.name, encoding)
        try:
            self._header = read_header(self._source, columns, delimiter)
        except BaseException:
            self.close()
            raise
        self.header, self.columns, self._positions, self.extra_columns, *_ = self._header
        self.delimiter = self._header.delimiter

    def __enter__(self) -> "SeedFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the header stays known."""
        self._source.close()

    def copy_parts(self) -> Iterator[Part]:
        """The records, for one COPY after the other.

        Raises:
            SeedFileError: at the first problem.
        """
        pieces = filter(lambda piece: piece.records, self._pieces(self._source.refuse))
        for names_missing, part in groupby(pieces, lambda piece: piece.names_missing):
            columns = (*self.columns, FIELDS_MISSING) if names_missing else self.columns
            yield Part(columns, (piece.data for piece in part))

    @property
    def sha256(self) -> str:
        """The digest of the file, byte for byte, once `copy_parts` has come to its end."""
        return self._source.sha256

    def count(self, report: Report) -> Iterator[int]:
        """The number of records in one part of the file after the other.

        Args:
            report: told of each problem, by line and message.
        """
        return (piece.records for piece in self._pieces(report))

    def _pieces(self, report: Report) -> Iterator[Piece]:
        parser = RecordParser(self.delimiter, report)
        # In a file of one column a blank line looks like a record.
        columns = len(self.header)
        shortcut = Shortcut(columns, self._positions, self.delimiter) if columns > 1 else None
        begin, line = self._header.end, self._header.next_line
        for chunk in self._source.chunks(begin, line, self._chunk_size):
            proven = shortcut and not parser.inside_quotes and shortcut.prove(chunk.data)
            if proven:
                yield proven
                continue
            # One odd record must not send its whole chunk the slow way.
            for part in chunk.divide():
                proven = shortcut and not parser.inside_quotes and shortcut.prove(part.data)
                yield proven or self._careful(part, parser, report)
                if parser.lost:
                    return
        parser.finish()

    def _careful(self, chunk: Chunk, parser: RecordParser, report: Report) -> Piece:
        rows: list[list[str]] = []
        is_last = not chunk.data.endswith(b"\n")
        for number, text in enumerate(chunk.lines(report), chunk.line):
            record = parser.feed(number, text)
            if record and self._has_enough(record.fields, is_last):
                rows.append(record.fields)
            elif record:
                report(record.line, self._ragged(record.fields, is_last))
            if parser.lost:
                break
        names_missing = any(len(fields) < len(self.header) for fields in rows)
        data = "".join(self._row(fields, names_missing) for fields in rows)
        return Piece(data.encode(), len(rows), names_missing)

    def _has_enough(self, fields: list[str], is_last: bool) -> bool:
        if len(fields) < len(self.header):
            return self._may_end_early and not is_last
        return len(fields) == len(self.header)

    def _row(self, fields: list[str], names_missing: bool) -> str:
        count = len(fields)
        wanted = [fields[place] if place < count else "" for place in self._positions]
        if names_missing:
            places = zip(self._positions, self.columns, strict=True)
            wanted.append(listed([name for place, name in places if place >= count]))
        quoted = [field and '"' + field.replace('"', '""') + '"' for field in wanted]
        return self.delimiter.join(quoted) + "\n"

    def _ragged(self, fields: list[str], is_last: bool) -> str:
        noun = "field" if len(fields) == 1 else "fields"
        message = f"{len(fields)} {noun} where {len(self.header)} are expected"
        message += f" ({listed(self.header)})"
        if is_last and len(fields) < len(self.header):
            return f"{message}; {_CUT_OFF}"
        if any("\r" in field for field in fields):
            return f"{message}; {LONE_CARRIAGE_RETURNS}"
        return message
