"""The sockets of clients, where gunicorn lets us at them: who is gone, and who is too slow."""

import socket
import struct

from flask import request

MOST_SECONDS = 60  # in which a client takes or sends nothing at all, before it is dropped
_AS_TIMEVAL = struct.pack("@ll", MOST_SECONDS, 0)


def limit(connection: socket.socket) -> None:
    """Drop this client once it stands still: each holds a thread."""
    # Of the system, not of Python: gunicorn counts on a socket that blocks.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _AS_TIMEVAL)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _AS_TIMEVAL)


def current() -> socket.socket | None:
    """The connection that this request came by; None where it is not known."""
    connection = request.environ.get("gunicorn.socket")
    return connection if isinstance(connection, socket.socket) else None


def is_closed(connection: socket.socket | None) -> bool:
    """Whether the client has hung up."""
    if connection is None:
        return False
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
