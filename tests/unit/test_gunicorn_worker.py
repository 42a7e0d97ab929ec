"""What a thread of the web app does with a client's connection."""

import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from gunicorn.config import Config  # type: ignore[import-untyped]
from gunicorn.glogging import Logger  # type: ignore[import-untyped]
from gunicorn.workers.gthread import TConn  # type: ignore[import-untyped]

from api.serve.gunicorn_worker import Worker
from api.web import connections

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
PEER = ("127.0.0.1", 1)


class Line(NamedTuple):
    """A worker without a process of its own, a connection to it, and the client's end of that."""

    worker: Any
    connection: Any
    client: socket.socket


@pytest.fixture
def line() -> Iterator[Line]:
    config = Config()
    config.set("threads", 4)
    worker = Worker(1, os.getpid(), [], None, 30, config, Logger(config))

    def application(_environ: Any, start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    worker.wsgi = application
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Line(worker, TConn(config, ours, PEER, PEER), theirs)
    worker.tmp.close()


def whole_answer(client: socket.socket) -> bytes:
    """An answer comes in parts."""
    answer = b""
    while not answer.endswith(b"\r\n\r\nok"):
        answer += client.recv(10_000)
    return answer


def test_requests_that_follow_are_answered_by_the_same_thread(line: Line) -> None:
    answers = []

    def ask_twice() -> None:
        for _ in range(2):
            line.client.sendall(REQUEST)
            answers.append(whole_answer(line.client))
        line.client.shutdown(socket.SHUT_WR)

    client = threading.Thread(target=ask_twice)
    client.start()
    assert line.worker.handle(line.connection) is False  # The client has ended it.
    client.join()
    assert all(answer.startswith(b"HTTP/1.1 200 OK") for answer in answers)
    assert len(answers) == 2


def test_a_client_that_asks_no_more_is_given_back(line: Line) -> None:
    line.client.sendall(REQUEST)
    assert line.worker.handle(line.connection) is True
    assert whole_answer(line.client)


def test_when_many_wait_already_nobody_does(line: Line) -> None:
    line.client.sendall(REQUEST)
    for _ in range(2):
        assert line.worker._lingering.acquire(blocking=False)
    assert line.worker.handle(line.connection) is True
    line.client.sendall(REQUEST)
    assert not line.worker._comes_more(line.connection)


def test_a_client_that_stands_still_is_dropped_in_silence(
    line: Line, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connections, "_AS_TIMEVAL", struct.pack("@ll", 0, 50_000))
    line.worker.log.error_log.addHandler(caplog.handler)
    line.client.sendall(REQUEST[:20])
    assert line.worker.handle(line.connection) is False
    assert caplog.records == []
