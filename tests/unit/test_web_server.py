"""The socket that the web app listens on."""

import select
import socket
from unittest.mock import Mock

import pytest

from dashboard import server


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
