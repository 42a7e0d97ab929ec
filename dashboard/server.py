"""The web app under waitress: `python -m dashboard.server`.

One process. Its main thread receives requests and sends answers at the clients' own speed; a thread
runs a view once the whole request is there. So a client that sends slowly holds no thread.
"""

import argparse
import contextlib
import json
import logging
import os
import re
import resource
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from functools import partial
from typing import Any
from urllib.parse import quote

import waitress
from waitress.buffers import OverflowableBuffer
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.receiver import ChunkedReceiver
from waitress.task import ErrorTask
from waitress.utilities import BadRequest

from api import access, problems, uploads
from dashboard.app import create_app
from elute.environment import drop_foreign
from elute.errors import EluteError
from elute.private import keep_private
from elute.serve.exposure import require_token_if_exposed, warn_if_exposed
from elute.serve.lock import listen
from elute.settings import Settings

THREADS = 64  # Streams hold one each, up to a number of their own.
CONNECTIONS = 2000
SILENT_SECONDS = 60  # until a client that sends or takes nothing is dropped
HEAD_SECONDS = 20  # for the first line and the headers
LEAST_RATE = 1000  # bytes of a body in a second, of one that has taken longer than that
_LARGEST_HEAD = 64 * 1024  # bytes; an address with a list of ids is long
_LONGEST_LINE = 8 * 1024  # bytes of a body in chunks that are of none: of a size, or at its end
_LONG_SPACE = re.compile(rb"[ \t\r\n]{40}")
_LARGEST_UPLOAD = 4 * 1024**3  # bytes
_LONGEST_OF_ANYBODY = 64 * 1024  # bytes kept of a body whose request may change nothing
_ASCII = bytes(range(128)).decode()
_CURES = {
    413: "A body may have at most 4 GiB.",
    431: "The address and the headers may have 64 KiB together. Ask for fewer values at a time.",
    507: uploads.NO_ROOM,
}


class _NoRoom(BadRequest):
    code = 507
    reason = "Insufficient Storage"


class _Body(OverflowableBuffer):
    """Keeps a long body on disk, and none of it if the disk has no room.

    A client that was not asked to wait has to be let finish: it would be reset, and not see why.

    Attributes:
        is_let_go: whether it is not kept.
    """

    is_let_go = False

    def append(self, data: bytes) -> None:
        """Keep this too."""
        if self.is_let_go:
            return
        with contextlib.suppress(OSError):  # There may be a quota.
            if self.has_room_for(len(data)):
                super().append(data)
                return
        self.is_let_go = True
        with contextlib.suppress(OSError):  # Closing writes what is left.
            self.close()

    def has_room_for(self, length: int) -> bool:
        """Whether that many bytes more can be kept."""
        if len(self) + length <= self.overflow:
            return True
        return shutil.disk_usage(tempfile.gettempdir()).free >= length + uploads.RESERVE


class _ShortBody(OverflowableBuffer):
    """Keeps the beginning, and nothing on disk."""

    def append(self, data: bytes) -> None:
        """Keep what there is room for."""
        super().append(data[: _LONGEST_OF_ANYBODY - len(self)])


class _Request(HTTPRequestParser):
    """Also reads an address whose letters are not percent-encoded: curl sends what is typed."""

    body_rcv: Any
    content_length: int
    expect_continue: bool

    def __init__(self, application: Any, adjustments: Any) -> None:
        super().__init__(adjustments)
        self._application = application
        self._begun_at = time.monotonic()

    @property
    def is_late(self) -> bool:
        """Whether what has come so far has taken too long."""
        seconds = time.monotonic() - self._begun_at
        is_slow = self.body_bytes_received < seconds * LEAST_RATE
        return seconds > HEAD_SECONDS and (not self.headers_finished or is_slow)

    def received(self, data: bytes) -> int:
        """Read what has come; how many bytes of it.

        Waitress keeps a line between two chunks in memory, however long it is.
        """
        count: int = super().received(data)
        body = self.body_rcv
        lines = (body.control_line, body.trailer) if isinstance(body, ChunkedReceiver) else ()
        if any(len(line) > _LONGEST_LINE for line in lines):
            self.error, self.completed = BadRequest("a line between chunks is too long"), True
        if isinstance(buffer := getattr(body, "buf", None), _Body) and not self.error:
            waits_in_vain = self.expect_continue and not buffer.has_room_for(self.content_length)
            if waits_in_vain or (buffer.is_let_go and self.completed):
                self.error, self.completed = _NoRoom("the disk is full"), True
                self.expect_continue = False
        return count

    def parse_header(self, header_plus: bytes) -> None:
        """Read the first line and the headers.

        The time that waitress takes grows with the square of the white space before a value, and
        werkzeug's with that in a cookie: a minute for 64 KiB. Lines may be folded there.
        """
        if _LONG_SPACE.search(header_plus):
            raise ParsingError("a header has too much white space")
        line, end, headers = header_plus.partition(b"\r\n")
        super().parse_header(quote(line, safe=_ASCII).encode() + end + headers)
        # Waitress waits for a body after its "100 Continue", whether or not one is to come.
        self.expect_continue &= bool(self.content_length) or self.chunked
        if self.body_rcv is None:
            return
        if access.may_change(
            self._application, {f"HTTP_{name}": value for name, value in self.headers.items()}
        ):
            self.body_rcv.buf = _Body(self.adj.inbuf_overflow)
            return
        # A body that the app refuses by the headers alone, or a form for the token, which is short.
        self.body_rcv.buf = _ShortBody(self.adj.inbuf_overflow)
        if self.expect_continue and self.content_length > _LONGEST_OF_ANYBODY:
            self.body_rcv, self.content_length, self.expect_continue = None, 0, False
            self.headers.update(CONTENT_LENGTH="0", CONNECTION="close")


class _Refusal(ErrorTask):
    """Says what is no request in the words of the app's own problems."""

    def execute(self) -> None:
        """Answer."""
        error = self.request.error
        problem = problems.Problem(
            error.code, error.reason, _CURES.get(error.code, f"This is no HTTP: {error.body}.")
        )
        body = json.dumps(problem.as_json()).encode() + b"\n"
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", problems.MEDIA_TYPE))
        self.content_length = len(body)
        self.set_close_on_finish()
        self.write(body)


class _Channel(HTTPChannel):
    """Ends when its client takes too long to send a request, at whatever pace."""

    error_task_class = _Refusal

    def parser_class(self, adjustments: Any) -> _Request:
        """One for each request."""
        return _Request(self.server.application, adjustments)

    def readable(self) -> bool:
        """Asked at each turn of the loop, and so about once a second."""
        if self.request is not None and self.request.is_late:
            self.will_close = True
        return bool(super().readable())


def main() -> None:
    """Serve until told to stop, or until standard input ends if that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m dashboard.server")
    parser.add_argument("--lifeline", action="store_true", help="end with standard input")
    parser.add_argument("--socket", type=int, help="a descriptor that listens already")
    options = parser.parse_args()
    try:
        settings = Settings.from_environment()
        keep_private(settings.home)
        drop_foreign(settings)
        require_token_if_exposed(settings)
        if options.socket is None:
            listeners = listen(settings)
        else:
            listeners = [socket.socket(fileno=options.socket)]
        application = create_app(settings)
    except EluteError as error:
        sys.exit(f"elute: {error}")
    warn_if_exposed(settings)
    if options.lifeline:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    # Bodies are kept here until all of them has come; /tmp may be memory.
    tempfile.tempdir = str(settings.home)
    serve(application, listeners)


def serve(application: Any, listeners: list[socket.socket]) -> None:
    """Serve a WSGI application until SIGTERM or Ctrl-C."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    with contextlib.suppress(KeyboardInterrupt):
        _serve(application, listeners)


def _interrupt(*_: object) -> None:
    # A second one would break off the stopping: systemd and `elute serve` each send one.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _serve(application: Any, listeners: list[socket.socket]) -> None:
    _allow_files(2 * CONNECTIONS)
    # Accepted connections inherit it. It also counts while a client's window is full.
    for listener in listeners:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(SILENT_SECONDS * 1000))
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # Waiting is no reason to warn.
    server = waitress.create_server(
        application,
        sockets=listeners,
        threads=THREADS,
        connection_limit=CONNECTIONS,
        asyncore_use_poll=True,  # select() knows 1024 descriptors.
        channel_timeout=SILENT_SECONDS,
        outbuf_high_watermark=1024 * 1024,  # No more than it keeps in memory.
        channel_request_lookahead=1,  # Has it notice a client that hangs up.
        max_request_header_size=_LARGEST_HEAD,
        max_request_body_size=_LARGEST_UPLOAD,
        log_socket_errors=False,
        ident="",
        server_name=listeners[0].getsockname()[0],  # for who names no host
        clear_untrusted_proxy_headers=False,  # The app knows which to believe.
    )
    for each in getattr(server, "map", {0: server}).values():  # One for each socket.
        each.channel_class = _Channel
        each.handle_accept = partial(_accept_all, each)
    server.run()


def _accept_all(server: Any) -> None:
    """Accept whoever waits. Waitress takes one client at each turn of its loop.

    Of two hundred that come at once, the last would wait for seconds.
    """
    count = -1
    while count < len(server.active_channels) < CONNECTIONS:
        count = len(server.active_channels)
        type(server).handle_accept(server)


def _allow_files(count: int) -> None:
    """Each connection is a file, and so is a long body."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY:
        count = min(count, most)
    if now < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, most))


def _end_with_parent() -> None:
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
