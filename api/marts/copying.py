"""COPY … TO STDOUT, read at the pace of whoever reads."""

import os
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO

import psycopg2
from psycopg2 import errors

from elute.database.sessions import Session

BLOCK = 64 * 1024  # bytes
LONGEST_SILENCE = 300.0  # seconds in which PostgreSQL finds no further block
_LOOK_SECONDS = 0.5  # how often to look whether anybody still waits


class AbandonedError(Exception):
    """Nobody waits for the rows any more."""


class Copy:
    """A COPY in a thread of its own: psycopg2 writes the rows, while a response reads them.

    Between the two is a pipe: when it is full, PostgreSQL waits.

    Args:
        session: commits each statement by itself; it is not to be used until this is closed.
        statement: the COPY.
        is_abandoned: whether nobody waits for the rows any more; asked while none come.

    Attributes:
        row_count: how many rows there were, once `read` has given the last of them.
    """

    def __init__(self, session: Session, statement: str, is_abandoned: Callable[[], bool]) -> None:
        self.row_count = 0
        self._is_abandoned = is_abandoned
        self._session, self._statement = session, statement
        self._error: BaseException | None = None
        self._has_ended = False
        self._reader, writer = os.pipe()
        self._thread = threading.Thread(
            target=self._run, args=[os.fdopen(writer, "wb", BLOCK)], name="copy", daemon=True
        )
        self._thread.start()

    def read(self) -> bytes:
        """The next block; nothing at the end.

        Raises:
            psycopg2.Error: the rows end too early, or none have come for too long.
            AbandonedError: nobody waits for them.
        """
        poll = select.poll()  # Unlike select(), for descriptors of any number.
        poll.register(self._reader, select.POLLIN)
        deadline = time.monotonic() + LONGEST_SILENCE
        while not poll.poll(_LOOK_SECONDS * 1000):
            if self._is_abandoned():
                raise AbandonedError
            if time.monotonic() > deadline:
                raise errors.QueryCanceled
        block = os.read(self._reader, BLOCK)
        if not block:
            self._thread.join()
            self._has_ended = True
            if self._error:
                raise self._error
        return block

    def close(self) -> None:
        """End it, whether or not all has been read."""
        os.close(self._reader)
        if not self._has_ended:
            with suppress(psycopg2.Error):  # Without a server, there is nothing to cancel.
                self._session.cancel()
            self._thread.join()
            self._session.close()  # In the middle of a COPY it is of no use to anybody else.

    def _run(self, writer: BinaryIO) -> None:
        try:
            with writer, self._session.cursor() as cursor:
                cursor.copy_expert(self._statement, writer, BLOCK)
                self.row_count = cursor.rowcount
        except BaseException as error:  # It is the reader's to raise.
            self._error = error
