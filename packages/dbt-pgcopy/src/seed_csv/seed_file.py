"""A CSV file, read for COPY or counted: the two uses of one engine."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from seed_csv.errors import SeedFileError
from seed_csv.header import Layout, lay_out, other_delimiter
from seed_csv.records import Record, RecordParser
from seed_csv.shortcut import Shortcut
from seed_csv.source import CHUNK_SIZE, Chunk, Source, lone_carriage_returns


class Piece(NamedTuple):
    """A part of the file as COPY takes it, and the number of records in it."""

    data: bytes
    records: int


class SeedFile:
    """An open CSV file whose header has been read and matched with the wanted columns.

    Args:
        path: the file.
        columns: names of the wanted columns; None for every column that has a name.
        delimiter: the character between fields, one of ASCII.
        name: what to call the file in messages; its base name if None.
        chunk_size: bytes to read at once.

    Attributes:
        columns: the wanted columns in the order in which `copy_chunks` gives their fields.
        extra_columns: columns of the file that nobody asked for.
        header: every name of the header, as it stands in the file.

    Raises:
        SeedFileError: the file or its header cannot be read.
    """

    def __init__(
        self,
        path: str | Path,
        columns: Sequence[str] | None = None,
        *,
        delimiter: str = ",",
        name: str | None = None,
        chunk_size: int = CHUNK_SIZE,
    ) -> None:
        self.name = name or Path(path).name
        self._delimiter, self._chunk_size = delimiter, chunk_size
        self._source = Source(Path(path), self.name)
        try:
            self._layout = self._read_header(columns)
        except BaseException:
            self.close()
            raise
        self.header, self.columns = self._layout.found, self._layout.columns
        self.extra_columns = self._layout.extra

    def __enter__(self) -> "SeedFile":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the header stays known."""
        self._source.close()

    def copy_chunks(self) -> Iterator[bytes]:
        """The records as COPY … (format csv) takes them: no header, empty and unquoted is null.

        Raises:
            SeedFileError: at the first problem.
        """
        return (piece.data for piece in self._pieces(self._refuse))

    @property
    def sha256(self) -> str:
        """The digest of the file, byte for byte, once `copy_chunks` has come to its end."""
        return self._source.sha256

    def count(self, report: Callable[[int, str], None]) -> Iterator[int]:
        """The number of records in one part of the file after the other.

        Args:
            report: told of each problem, by line and message.
        """
        return (piece.records for piece in self._pieces(report))

    def _refuse(self, line: int, message: str) -> None:
        raise SeedFileError(self.name, message, line)

    def _read_header(self, wanted: Sequence[str] | None) -> Layout:
        parser = RecordParser(self._delimiter, self._refuse)
        for chunk in self._source.header_lines():
            text = chunk.data.decode(errors="replace")
            other = other_delimiter(text, wanted, self._delimiter) if wanted else None
            if other:
                self._refuse(chunk.line, other)
            header = next(self._records(chunk, parser, self._refuse), None)
            if header:
                if any("\r" in name for name in header.fields):
                    raise lone_carriage_returns(self.name)
                self._body = self._source.tell()
                self._body_line = chunk.line + 1
                return lay_out(self.name, header, wanted)
        parser.finish()
        raise SeedFileError(self.name, "the file is empty; its first line must name the columns")

    def _pieces(self, report: Callable[[int, str], None]) -> Iterator[Piece]:
        parser = RecordParser(self._delimiter, report)
        shortcut = self._shortcut(parser.white_space)
        self._source.seek(self._body)
        for chunk in self._source.chunks(self._body_line, self._chunk_size):
            proven = shortcut and not parser.inside_quotes and shortcut.prove(chunk.data)
            if proven:
                yield Piece(*proven)
                continue
            # One odd record must not send its whole chunk the slow way.
            for part in chunk.divide():
                proven = shortcut and not parser.inside_quotes and shortcut.prove(part.data)
                yield Piece(*proven) if proven else self._careful(part, parser, report)
                if parser.lost:
                    return
        parser.finish()

    def _shortcut(self, white_space: str) -> Shortcut | None:
        """None for a file of one column, where a blank line looks like a record."""
        columns = len(self.header)
        if columns == 1:
            return None
        return Shortcut(columns, self._layout.positions, self._delimiter, white_space)

    def _careful(
        self, chunk: Chunk, parser: RecordParser, report: Callable[[int, str], None]
    ) -> Piece:
        expected = len(self.header)
        rows = []
        for line, fields in self._records(chunk, parser, report):
            if len(fields) == expected:
                rows.append(self._row(fields))
            else:
                report(line, self._ragged(len(fields)))
        return Piece("".join(rows).encode(), len(rows))

    def _row(self, fields: list[str]) -> str:
        wanted = [fields[position] for position in self._layout.positions]
        quoted = [field and '"' + field.replace('"', '""') + '"' for field in wanted]
        return self._delimiter.join(quoted) + "\n"

    def _ragged(self, count: int) -> str:
        names = ", ".join(name or "(no name)" for name in self.header)
        noun = "field" if count == 1 else "fields"
        return f"{count} {noun} where {len(self.header)} are expected ({names})"

    def _records(
        self, chunk: Chunk, parser: RecordParser, report: Callable[[int, str], None]
    ) -> Iterator[Record]:
        for line, text in enumerate(chunk.lines(report), chunk.line):
            record = parser.feed(line, text)
            if record:
                yield record
            if parser.lost:
                return
