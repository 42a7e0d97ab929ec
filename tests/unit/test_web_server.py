"""The socket that the web app listens on."""

import select
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from unittest.mock import Mock

import pytest
import waitress
from waitress import wasyncore

from dashboard import server
from elute.commands import probe


class Live(BaseHTTPRequestHandler):
    """Answers as a web app that lives."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health/live" else 404)
        self.end_headers()


@pytest.mark.parametrize("listens_on", ["127.0.0.1", "127.0.0.2", "0.0.0.0"])
def test_its_health_is_asked_for_where_it_listens(
    monkeypatch: pytest.MonkeyPatch, listens_on: str
) -> None:
    with HTTPServer((listens_on, 0), Live) as web, ThreadPoolExecutor() as pool:
        web.timeout = 10
        pool.submit(web.handle_request)
        monkeypatch.setenv("ELUTE_HOST", listens_on)
        monkeypatch.setenv("ELUTE_PORT", str(web.server_port))
        assert probe.main("web") == 0


def test_a_client_that_takes_nothing_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "SILENT_SECONDS", 0.3)
    monkeypatch.setattr("waitress.create_server", Mock(return_value=Mock(map={})))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.serve(None, [listener])
        with socket.create_connection(listener.getsockname()) as client:
            ours, _ = listener.accept()
            with ours:
                ours.setblocking(False)
                while select.select([], [ours], [], 0)[1]:
                    ours.send(b"x" * 1_000_000)
                poll = select.poll()
                poll.register(ours, select.POLLERR)
                assert poll.poll(30_000)
                with pytest.raises(TimeoutError):
                    ours.send(b"x")
            assert client.fileno() >= 0


def test_whoever_waits_is_accepted_at_one_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener, ExitStack() as clients:
        for _ in range(50):
            clients.enter_context(socket.create_connection(listener.getsockname()))
        real = waitress.create_server(Mock(), sockets=[listener], threads=0)
        monkeypatch.setattr(real, "run", partial(wasyncore.loop, map=real._map, count=1))
        monkeypatch.setattr("waitress.create_server", Mock(return_value=real))
        server.serve(None, [listener])
        assert len(real.active_channels) == 50
        real.close()
        wasyncore.close_all(real._map)
