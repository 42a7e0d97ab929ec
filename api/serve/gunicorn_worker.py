"""Gunicorn's threaded worker, told where to run and how to treat the connections of clients."""

import logging
import select
import threading
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]

from api.web import connections, cores

LINGER_SECONDS = 0.02


class Worker(ThreadWorker):  # type: ignore[misc]
    """A thread waits a moment for its client's next request before it gives the client back.

    Gunicorn hands a connection from a thread to its main thread and on to another thread for each
    request, which takes as long as answering a small one.
    """

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        # The other half stays free for those who have just come.
        self._lingering = threading.BoundedSemaphore(max(1, self.cfg.threads // 2))
        self.log.error_log.addFilter(_is_worth_telling)

    def init_process(self) -> None:
        """Serve, in a process of its own, until told to stop."""
        cores.keep_to_one()
        super().init_process()

    def handle(self, conn: TConn) -> Any:
        """Answer a request, and those that come right after it on the same connection.

        Returns:
            Whether the connection stays open, or gunicorn's word that nothing has come yet.
        """
        if not conn.initialized:
            connections.limit(conn.sock)
        result = super().handle(conn)
        while result is True and self._comes_more(conn):
            result = super().handle(conn)
        if conn.sock.fileno() < 0:
            conn.close = _nothing  # Broken off: to close it again would have it counted twice.
        return result

    def _comes_more(self, conn: TConn) -> bool:
        """Whether the client sends something within a moment; its end counts as something."""
        # What has been read ahead is gunicorn's to go on with.
        if not self.alive or conn.parser.unreader.buf.getvalue():
            return False
        if not self._lingering.acquire(blocking=False):
            return False
        try:
            poll = select.poll()
            poll.register(conn.sock, select.POLLIN)
            return bool(poll.poll(LINGER_SECONDS * 1000))
        finally:
            self._lingering.release()


def _nothing(graceful: bool = False) -> None:
    """In the place of closing what is closed."""


def _is_worth_telling(record: logging.LogRecord) -> bool:
    """A client that stood still for too long is no error of ours, with a traceback."""
    return not (record.exc_info and isinstance(record.exc_info[1], BlockingIOError))
