"""The fast way through a chunk: prove, in passes that run in C, that COPY reads it by our rules.

Most chunks need nothing but a look. Padding, blank lines and CRLF are taken out by replacing
bytes. Whatever is left that COPY would read differently makes the whole chunk fall to the careful
parser, which is the reference: both must always come to the same records.

A chunk is looked at as two texts. What stands outside quotes, where each quoted field has shrunk
to a mark, has the delimiters and line ends that count; what stands inside has only ends to trim.
"""

from collections.abc import Sequence
from typing import NamedTuple

from seed_csv.characters import ASCII_WHITE_SPACE, wide_white_space
from seed_csv.records import MAX_QUOTED
from seed_csv.source import is_text

_EMPTY = b"\0"  # stands for "" while a chunk is taken apart; a chunk that holds one is not ours
_QUOTE = b'"'
_WHITE_SPACE = ASCII_WHITE_SPACE.encode()
_ROUNDS = 4  # of replacing; deeper padding is for the careful parser


class Piece(NamedTuple):
    """A part of the file as COPY reads it by our rules, and the number of records in it.

    With `names_missing`, each record has a field more: the columns that it lacks, null if none.
    """

    data: bytes
    records: int
    names_missing: bool = False


class Shortcut:
    """Knows the shape that every record of a file must have.

    Args:
        columns: number of columns in the file, two or more.
        positions: places of the columns to keep, ascending from 0.
        delimiter: the one byte between fields.
    """

    def __init__(self, columns: int, positions: Sequence[int], delimiter: str) -> None:
        self._columns = columns
        self._positions = None if len(positions) == columns else positions
        self._delimiter = delimiter.encode()
        self._record = self._delimiter * (columns - 1) + b"\n"
        self._text = bytes(set(range(256)) - set(self._record))
        self._blank = self._record.rjust(columns + 1, b"\n")
        self._padding = [c.encode() for c in ASCII_WHITE_SPACE if c not in ("\n", delimiter)]

    def prove(self, chunk: bytes) -> Piece | None:
        """Whole lines, from the start of a record, made ready for COPY; None if that is in doubt.

        COPY before PostgreSQL 18 takes a line with nothing but a backslash and a full stop as the
        end of all data, so that a chunk with a backslash and a full stop goes the careful way.
        """
        if len(chunk) > MAX_QUOTED or not is_text(chunk) or _has(chunk, b"\\."):
            return None
        if not chunk.endswith(b"\n"):
            chunk += b"\n"
        is_untidy = (
            _QUOTE in chunk
            or self._padding_in(chunk)
            or self._blank in chunk
            or chunk.startswith(self._record)
        )
        # A blank line fits the shape of no record, and is taken out by tidying.
        return (None if is_untidy else self._shaped(chunk, [])) or self._tidied(chunk)

    def _tidied(self, chunk: bytes) -> Piece | None:
        parts = chunk.replace(b'""', _EMPTY).split(_QUOTE) if _QUOTE in chunk else [chunk]
        if len(parts) % 2 == 0:
            return None  # the last quoted field goes on in the next chunk
        outside = self._tidy(_QUOTE.join(parts[::2]))
        if outside is None or not (self._whole(outside, _QUOTE) and self._whole(outside, _EMPTY)):
            return None
        inside = self._trim(parts[1::2])
        return None if inside is None else self._shaped(outside.replace(_EMPTY, b""), inside)

    def _shaped(self, outside: bytes, inside: list[bytes]) -> Piece | None:
        """Prove that every line has as many delimiters as it should, by taking all else away."""
        skeleton = outside.translate(None, self._text)
        records = len(skeleton) // len(self._record)
        if skeleton != self._record * records:
            return None
        if self._positions is None:
            return Piece(_fill(outside, inside), records)
        return Piece(self._select(outside, inside, self._positions), records)

    def _select(self, outside: bytes, inside: list[bytes], positions: Sequence[int]) -> bytes:
        """Keep some of the columns."""
        fields = outside.replace(b"\n", self._delimiter).split(self._delimiter)
        marks = [place for place, field in enumerate(fields) if field == _QUOTE] if inside else []
        for place, text in zip(marks, inside, strict=True):
            fields[place] = _fill(_QUOTE, [text])
        kept = [fields[position : -1 : self._columns] for position in positions]
        rows = map(self._delimiter.join, zip(*kept, strict=True))
        return b"".join(row + b"\n" for row in rows)

    def _padding_in(self, text: bytes) -> list[bytes]:
        wide = set() if text.isascii() else wide_white_space(text)
        return [*(character for character in self._padding if character in text), *wide]

    def _tidy(self, outside: bytes) -> bytes | None:
        """Take out padding and blank lines; None if a carriage return is left or rounds are up."""
        padding = self._padding_in(outside)
        text = b"\n" + outside
        for _ in range(_ROUNDS):
            before = len(text)
            for character in padding:
                for edge in (self._delimiter, b"\n"):
                    text = text.replace(character + edge, edge).replace(edge + character, edge)
            if len(text) == before:
                return None if b"\r" in text else self._without_blank_lines(text)[1:]
        return None

    def _without_blank_lines(self, text: bytes) -> bytes:
        for blank in (b"\n\n", self._blank):
            while blank in text:  # Of many in a row, each round leaves half.
                text = text.replace(blank, b"\n")
        return text

    def _whole(self, outside: bytes, mark: bytes) -> bool:
        """Whether the mark of a quoted field is always a field of its own."""
        if mark not in outside:  # which is found out sooner than how many there are
            return True
        count = outside.count(mark)
        before = outside.count(self._delimiter + mark) + outside.count(b"\n" + mark)
        after = outside.count(mark + self._delimiter) + outside.count(mark + b"\n")
        return before + outside.startswith(mark) == count == after

    def _trim(self, inside: list[bytes]) -> list[bytes] | None:
        """Trim what stands in quotes; None if that leaves nothing, which only COPY calls a text."""
        text = _QUOTE.join(inside)
        if not text.isascii() and wide_white_space(text):
            return None  # bytes.strip knows no characters of two bytes
        inside = [part.strip(_WHITE_SPACE) for part in inside]
        return inside if all(inside) else None


def _has(text: bytes, two: bytes) -> bool:
    """Like `in`, which is fifty times as fast for one byte as for two."""
    return two[:1] in text and two in text


def _fill(outside: bytes, inside: list[bytes]) -> bytes:
    """Put the quoted fields back where their marks are."""
    if not inside:
        return outside
    parts = outside.split(_QUOTE)
    merged = [b""] * (len(parts) + len(inside))
    # A mark is one byte where the field has two quotes, so that each mark gives ","…",".
    merged[::2], merged[1::2] = parts, inside
    return _QUOTE.join(merged).replace(_EMPTY, b'""')
