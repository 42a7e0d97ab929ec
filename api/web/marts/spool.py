"""A file between a fast writer and a slow reader, who follows while it is being written."""

import io
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from api.web import disk

BLOCK = 64 * 1024  # bytes read and written at once


class Abandoned(Exception):  # noqa: N818 (nothing went wrong)
    """Nobody reads what is being written."""


class Spool:
    """A nameless file: nothing is left of it once both have left it.

    Args:
        folder: where there is room for it.
        begin: what comes before the rows.
        separator: what comes between rows; None for a line break after each.
        end: what comes after the rows.

    Attributes:
        is_ended: whether nothing more will come.
    """

    def __init__(
        self, folder: Path, begin: bytes = b"", separator: bytes | None = None, end: bytes = b""
    ) -> None:
        self._file, self._folder = _nameless(folder)
        self._separator, self._end = separator, end
        self._changed = threading.Condition()
        self._size = 0
        self._is_held = False  # whether a line break waits for what comes after it
        self._error: BaseException | None = None
        self.is_ended = self._has_left = False
        self._append(begin)
        self._beginning = self._size

    @property
    def size(self) -> int | None:
        """The bytes of the whole; None while it is being written, or if something is missing."""
        with self._changed:
            return self._size if self.is_ended and self._error is None else None

    def writer(self) -> io.BufferedWriter:
        """A file that takes rows, each with its line break. COPY writes to it without Python."""
        return io.BufferedWriter(_Raw(self), BLOCK)

    def write(self, block: bytes) -> None:
        """Append rows.

        Raises:
            Abandoned: nobody reads them any more.
            Problem: 507, the disk is full.
        """
        if self._has_left:
            raise Abandoned
        disk.require_room(self._folder)
        if self._separator is None:
            self._append(block)
            return
        rows = block.replace(b"\n", self._separator)
        if self._is_held:
            rows = self._separator + rows
        self._is_held = block.endswith(b"\n")
        self._append(rows.removesuffix(self._separator) if self._is_held else rows)

    def finish(self, error: BaseException | None = None) -> None:
        """Say that nothing more will come; with the reason, if something is missing."""
        if error is None:
            self._append(self._end)
        with self._changed:
            self._error, self.is_ended = error, True
            self._changed.notify_all()
            if self._has_left:
                self._file.close()

    def wait(self, seconds: float, for_all: bool = False) -> bool:
        """Wait for the first rows, or for all of them; whether they are there.

        Raises:
            BaseException: the writer's error.
        """
        is_there = self._wait_past(None if for_all else self._beginning, seconds)
        if self._error is not None:
            raise self._error
        return is_there

    def blocks(self, seconds: float, idle: Callable[[], None]) -> Iterator[bytes]:
        """What is written, as it comes; `idle` is called whenever nothing has for so long.

        Raises:
            BaseException: the writer's error; what came until then is not whole.
        """
        position = 0
        while True:
            while not self._wait_past(position, seconds):
                idle()
            block = os.pread(self._file.fileno(), BLOCK, position)
            if not block:
                break
            position += len(block)
            yield block
        if self._error is not None:
            raise self._error

    def leave(self) -> None:
        """Stop reading; the writer is told at its next row."""
        with self._changed:
            if not self._has_left and self.is_ended:
                self._file.close()
            self._has_left = True

    def _wait_past(self, size: int | None, seconds: float) -> bool:
        def is_past() -> bool:
            return self.is_ended or (size is not None and self._size > size)

        with self._changed:
            return self._changed.wait_for(is_past, seconds)

    def _append(self, text: bytes) -> None:
        rest = memoryview(text)
        while rest:
            rest = rest[os.write(self._file.fileno(), rest) :]
        with self._changed:
            self._size += len(text)
            self._changed.notify_all()


class _Raw(io.RawIOBase):
    """What a BufferedWriter writes its blocks to."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    def writable(self) -> bool:
        return True

    def write(self, block: Any) -> int:
        rows = bytes(block)
        if not self._spool.is_ended:  # Otherwise it has broken off, and this is the rest.
            self._spool.write(rows)
        return len(rows)


def _nameless(folder: Path) -> tuple[BinaryIO, Path]:
    """A file in that folder, or where any may be; and where it is."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryFile(buffering=0, dir=folder), folder
    except PermissionError:
        return tempfile.TemporaryFile(buffering=0), Path(tempfile.gettempdir())
