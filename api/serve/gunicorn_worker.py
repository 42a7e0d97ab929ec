"""Gunicorn's threaded worker, told where to run and how to treat the connections of clients."""

import select
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]

from api.web import connections, cores

LINGER_SECONDS = 0.02
# Threads must stay free for those who have just come.
MOST_LINGERING_SHARE = 0.5  # of the threads


class Worker(ThreadWorker):  # type: ignore[misc]
    """A thread waits a moment for its client's next request before it gives the client back.

    Gunicorn hands a connection from a thread to its main thread and on to another thread for each
    request, which takes as long as answering a small one.
    """

    def init_process(self) -> None:
        """Serve, in a process of its own, until told to stop."""
        cores.keep_to_one()
        super().init_process()

    def handle(self, conn: TConn) -> Any:
        """Answer a request, and those that come right after it on the same connection.

        Returns:
            Whether the connection stays open, or gunicorn's word that nothing has come yet.
        """
        result = super().handle(conn)
        while result is True and self._may_linger(conn) and _has_come(conn):
            result = super().handle(conn)
        return result

    def handle_request(self, req: Any, conn: TConn) -> bool:
        """Answer a request; the client may not stand still from now on."""
        if not hasattr(conn, "is_limited"):
            connections.limit(conn.sock)
            conn.is_limited = True
        return bool(super().handle_request(req, conn))

    def _may_linger(self, conn: TConn) -> bool:
        most = MOST_LINGERING_SHARE * self.cfg.threads
        # What has been read ahead is gunicorn's to go on with.
        return self.alive and self.nr_conns <= most and not conn.parser.unreader.buf.getvalue()


def _has_come(conn: TConn) -> bool:
    """Whether the client sends something within a moment; its end counts as something."""
    poll = select.poll()
    poll.register(conn.sock, select.POLLIN)
    return bool(poll.poll(LINGER_SECONDS * 1000))
