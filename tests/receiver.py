"""Real servers that are told things: HTTP, with the answers that are set, and mail."""

import email
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import NamedTuple


class Received(NamedTuple):
    """A request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """What it got, and what it answers: a status each, the last of them for ever.

    A status of 0 is no answer until `release` is set.
    """

    def __init__(self, *statuses: int) -> None:
        self.statuses, self.received = list(statuses), list[Received]()
        self.release = threading.Event()
        self.url = ""

    def status(self) -> int:
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]


@contextmanager
def receiving(*statuses: int) -> Iterator[Receiver]:
    """One on a port of its own."""
    receiver = Receiver(*statuses)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.received.append(Received(self.command, self.path, headers, body))
            status = receiver.status()
            if status == 0:
                receiver.release.wait()
                return
            self.send_response(status)
            self.send_header("Location", f"{receiver.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST  # noqa: N815 (the name that http.server wants)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield receiver
        finally:
            receiver.release.set()
            server.shutdown()
            thread.join()


class MailServer:
    """Where it is, and the mail that it got."""

    def __init__(self) -> None:
        self.address, self.received = "", list[Message]()


@contextmanager
def receiving_mail() -> Iterator[MailServer]:
    """One that takes whatever it is given."""
    mail = MailServer()

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            for line in self.rfile:
                if line.upper().startswith(b"DATA"):
                    self.wfile.write(b"354 go on\r\n")
                    lines = iter(self.rfile.readline, b".\r\n")
                    mail.received.append(email.message_from_bytes(b"".join(lines)))
                self.wfile.write(b"250 good\r\n")

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        mail.address = f"127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield mail
        finally:
            server.shutdown()
            thread.join()
