"""The web app under waitress: `python -m dashboard.server`.

One process. Its main thread receives requests and sends answers at the clients' own speed; a thread
runs a view once the whole request is there. So a client that sends slowly holds no thread.
"""

import argparse
import contextlib
import logging
import os
import resource
import signal
import socket
import sys
import tempfile
import threading
from functools import partial
from typing import Any

import waitress

from dashboard.app import create_app
from dashboard.receiving import Channel
from elute.environment import drop_foreign
from elute.errors import EluteError
from elute.private import keep_private
from elute.serve.exposure import require_token_if_exposed, warn_if_exposed
from elute.serve.lock import listen
from elute.settings import Settings

THREADS = 64  # Streams hold one each, up to a number of their own.
CONNECTIONS = 2000
SILENT_SECONDS = 60  # until a client that sends or takes nothing is dropped
_LARGEST_HEAD = 64 * 1024  # bytes; an address with a list of ids is long
_LARGEST_UPLOAD = 4 * 1024**3  # bytes


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
        each.channel_class = Channel
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
