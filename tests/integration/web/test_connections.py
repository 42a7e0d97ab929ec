"""Clients that keep their connections, through the server that `elute serve` has."""

import http.client
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest
from flask.testing import FlaskClient

from dashboard.server import THREADS
from tests.integration.conftest import Laboratory
from tests.service import web_app


@pytest.fixture(scope="module")
def port(built: Laboratory) -> Iterator[int]:
    with web_app(built.environment) as port:
        yield port


def ask(client: http.client.HTTPConnection) -> bytes:
    client.request("GET", "/etl-results/4")
    answer = client.getresponse()
    assert answer.status == 200
    return answer.read()


def test_more_clients_than_threads_keep_their_connections(port: int) -> None:
    with ExitStack() as held:
        clients = [
            held.enter_context(closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)))
            for _ in range(2 * THREADS)
        ]
        answers = {ask(client) for client in clients}
        sockets = [client.sock for client in clients]
        answers |= {ask(client) for _ in range(4) for client in clients}
        assert [client.sock for client in clients] == sockets
    assert len(answers) == 1


def test_requests_that_come_together_are_answered_in_order(port: int) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as client:
        client.connect()
        assert client.sock
        paths = [f"/etl-results/{number}" for number in (4, 5, 6)]
        requests = [f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n" for path in paths]
        client.sock.sendall("".join(requests).encode())
        ids = []
        with client.sock.makefile("rb") as file:
            for _ in paths:
                length = 0
                while (line := file.readline()) != b"\r\n":
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                ids.append(file.read(length).partition(b'"user_id":')[2][:1])
    assert ids == [b"4", b"5", b"6"]


def test_what_nobody_awaits_asks_nothing_of_the_database(away: FlaskClient) -> None:
    gone = {"waitress.client_disconnected": lambda: True}
    assert away.get("/etl-results", environ_overrides=gone).status_code == 499
    assert away.get("/etl-results").status_code == 503
    # Who starts a build need not wait for it.
    assert away.post("/trigger-etl", environ_overrides=gone).status_code == 503


def test_an_open_connection_does_not_hold_up_the_end(built: Laboratory) -> None:
    with ExitStack() as held:
        with web_app(built.environment) as port:
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            held.enter_context(closing(client))
            ask(client)
            ask(client)
            started = time.monotonic()
        assert time.monotonic() - started < 10
