"""Clients that send little, or nothing: each of them may be slow, and nobody else is."""

import http.client
import json
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from dashboard.server import THREADS
from tests.integration.conftest import Laboratory
from tests.service import web_app

HOST = b"Host: localhost\r\n"
TOKEN = "a-token-of-this-test"
BEGINNINGS = {
    "nothing": b"",
    "a request line": b"GET /heal",
    "a header": b"GET /health/live HTTP/1.1\r\n" + HOST + b"Accept: te",
    "a body": b"PUT /inputs/users.csv HTTP/1.1\r\n" + HOST + b"Content-Length: 100\r\n\r\nuser",
    "chunks": b"PUT /inputs/users.csv HTTP/1.1\r\n"
    + HOST
    + b"Transfer-Encoding: chunked\r\n\r\n400\r\nus",
}


@pytest.fixture(scope="module")
def port(built: Laboratory) -> Iterator[int]:
    with web_app(built.environment) as port:
        yield port


@pytest.fixture(scope="module")
def hasty(built: Laboratory) -> Iterator[int]:
    """One that waits for a second, where the real one waits for longer."""
    code = "from dashboard import receiving, server; receiving.HEAD_SECONDS = 1; server.main()"
    with web_app(built.environment, program=("-c", code)) as port:
        yield port


@pytest.fixture(scope="module")
def guarded(built: Laboratory) -> Iterator[int]:
    """One with a token, and no room for a file of more than a megabyte."""
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)); "
        "from dashboard import server; server.main()"
    )
    environment = built.environment | {"ELUTE_TOKEN": TOKEN}
    with web_app(environment, program=("-c", code)) as port:
        yield port


def ask(port: int, path: str) -> http.client.HTTPResponse:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as client:
        client.request("GET", path)
        answer = client.getresponse()
        answer.read()
        return answer


@pytest.mark.parametrize("beginning", BEGINNINGS.values(), ids=BEGINNINGS)
def test_who_sends_slowly_keeps_nobody_waiting(port: int, beginning: bytes) -> None:
    ask(port, "/health/live")
    with ExitStack() as held:
        for _ in range(2 * THREADS):
            client = socket.create_connection(("127.0.0.1", port), timeout=10)
            held.enter_context(client).sendall(beginning)
        assert ask(port, "/health/live").status == 200
        assert ask(port, "/etl-results/4").status == 200


@pytest.mark.parametrize("beginning", list(BEGINNINGS.values())[1:], ids=list(BEGINNINGS)[1:])
def test_who_goes_on_sending_slowly_is_dropped(hasty: int, beginning: bytes) -> None:
    with socket.create_connection(("127.0.0.1", hasty), timeout=10) as client:
        client.sendall(beginning)
        for _ in range(100):
            if select.select([client], [], [], 0.1)[0]:
                break
            client.sendall(b"a")
        assert client.recv(1000) == b""
    assert ask(hasty, "/health/live").status == 200


def test_nine_hundred_idle_connections_keep_nobody_waiting(port: int) -> None:
    with ExitStack() as held:
        for _ in range(900):
            held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
        assert ask(port, "/etl-results/4").status == 200


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /health/live?" + b"a" * 32_000 + b" HTTP/1.1\r\n" + HOST, b"200"),
        (b"GET /health/live?" + b"a" * 70_000 + b" HTTP/1.1\r\n" + HOST, b"431"),
        (b"GET /health/live HTTP/1.1\r\n" + HOST + b"X-A: " + b"a" * 70_000 + b"\r\n", b"431"),
        (b"nonsense\r\n", b"400"),
        ("GET /etl-results?name=ilike.*é*&limit=1 HTTP/1.1\r\n".encode() + HOST, b"200"),
        (
            b"PUT /inputs/users.csv HTTP/1.1\r\n"
            + HOST
            + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nuser",
            b"400",
        ),
        (b"GET /health/live HTTP/1.0\r\n", b"200"),
        (b"HEAD /health/live HTTP/1.1\r\nConnection: close\r\n" + HOST, b"200"),
        (b"PUT /none HTTP/1.1\r\n" + HOST + b"Content-Length: 9999999999999\r\n", b"413"),
    ],
)
def test_no_answer_is_a_page_of_the_server(port: int, sent: bytes, status: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(sent + b"\r\n")
        answer = client.recv(10_000)
        while status[:1] == b"4" and (more := client.recv(10_000)):
            answer += more
    assert answer.split()[1] == status
    assert b"<html" not in answer.lower()
    if status[:1] == b"4":
        assert b"Content-Type: application/problem+json" in answer
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["detail"]
    assert b"\r\nServer:" not in answer


def test_a_client_that_waits_for_leave_to_send_gets_it(port: int) -> None:
    head = b"PUT /inputs/none.csv HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(head + b"Expect: 100-continue\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 100 ")
        client.sendall(b"user")
        assert client.recv(10_000).startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize("length", [b"", b"Content-Length: 0\r\n"])
def test_a_client_that_waits_for_leave_and_has_nothing_to_send_is_answered(
    port: int, length: bytes
) -> None:
    head = b"GET /health/live HTTP/1.1\r\n" + HOST + length
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(head + b"Expect: 100-continue\r\n\r\n")
        assert client.recv(10_000).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("beginning", [b"1;", b"0\r\n"])
def test_a_line_between_chunks_that_does_not_end_is_refused(port: int, beginning: bytes) -> None:
    head = b"PUT /inputs/none.csv HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(head + beginning + b"a" * 20_000)
        assert client.recv(10_000).startswith(b"HTTP/1.1 400 ")


def test_an_upload_that_is_broken_off_never_arrives(port: int) -> None:
    before = ask(port, "/inputs").headers["Content-Length"]
    for beginning in (BEGINNINGS["a body"], BEGINNINGS["chunks"]):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(beginning)
            client.shutdown(socket.SHUT_WR)
            assert client.recv(1000) == b""
    assert ask(port, "/inputs").headers["Content-Length"] == before


LONG = b"Content-Length: 50000000\r\n"
WAITING = LONG + b"Expect: 100-continue\r\n"
BEARER = b"Authorization: Bearer "


def head_answered(port: int, headers: bytes) -> bytes:
    """What a request is answered of which nothing but the head is sent."""
    head = b"PUT /inputs/users.csv HTTP/1.1\r\n" + HOST + headers + b"\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(head)
        return client.recv(10_000)


@pytest.mark.parametrize("authorization", [b"", BEARER + b"wrong\r\n"])
def test_who_waits_for_leave_without_the_token_gets_none(
    guarded: int, authorization: bytes
) -> None:
    answer = head_answered(guarded, authorization + WAITING)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"\r\nConnection: close\r\n" in answer
    assert b"Content-Type: application/problem+json" in answer


def test_who_waits_for_leave_with_the_token_or_needs_none_gets_it(guarded: int, port: int) -> None:
    authorization = BEARER + TOKEN.encode() + b"\r\n"
    assert head_answered(guarded, authorization + WAITING).startswith(b"HTTP/1.1 100 ")
    assert head_answered(port, WAITING).startswith(b"HTTP/1.1 100 ")


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_long_body_without_the_token_is_on_no_disk(guarded: int, is_chunked: bool) -> None:
    body = b"a" * 50_000_000

    def put(client: http.client.HTTPConnection, headers: dict[str, str]) -> tuple[int, str | None]:
        client.request("PUT", "/inputs/users.csv", [body] if is_chunked else body, headers)
        answer = client.getresponse()
        answer.read()
        return answer.status, answer.headers["Connection"]

    with closing(http.client.HTTPConnection("127.0.0.1", guarded, timeout=30)) as client:
        assert put(client, {}) == (401, None)
        assert put(client, {}) == (401, None)
        with_token = {"Authorization": f"Bearer {TOKEN}"}
        assert put(client, with_token) == (507, "close")  # There is no room for it.


def test_a_token_is_taken_in_chunks(guarded: int) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", guarded, timeout=10)) as client:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        client.request("POST", "/sign-in", [b"token=", TOKEN.encode()], form)
        answer = client.getresponse()
        assert answer.status == 303
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
        answer.read()
        client.request("PUT", "/inputs/none.csv", b"user_id", {"Cookie": f"a=b; {cookie}"})
        assert client.getresponse().status == 404


@pytest.mark.parametrize("space", [b" ", b"\t", b"\r\n ", b"\r\n" + 30 * b"\t"])
@pytest.mark.parametrize(("before", "after"), [(b"X-A:", b"a"), (b"Cookie: a=", b'"')])
def test_a_header_of_white_space_keeps_nobody_waiting(
    port: int, before: bytes, space: bytes, after: bytes
) -> None:
    head = b"GET /etl-results HTTP/1.1\r\n" + HOST + before + 60_000 // len(space) * space + after
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(head + b"\r\n\r\n")
        assert client.recv(10_000).split()[1] == b"400"
    assert ask(port, "/health/live").status == 200
