"""A full disk: `elute serve` in a small file system, which a file fills."""

import http.client
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import psycopg2
import pytest

from api.problems import MEDIA_TYPE
from api.uploads import RESERVE
from elute.runs import queue
from tests.conftest import new_home, without_settings
from tests.service import Service, ended, held_up, listening, until, waits_for_lock

SIZE = 160 << 20
SOME = 200 << 10  # bytes that the queue may take, and a build has too few of


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with new_home() as home:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=711", "elute", str(home)]
        if os.geteuid() or subprocess.run(mount, check=False).returncode:
            pytest.skip("no file system can be mounted here")
        try:
            service = Service(home, without_settings())
            try:
                with listening(service.parameters) as session:
                    first = until(lambda: next(iter(queue.page(session)), None), session=session)
                    assert ended(session, first.run_id).state == "succeeded"
                until((home / "docs" / "of.json").exists)  # It takes room, too.
                yield service
            finally:
                assert service.process.stop(seconds=10) == 0
        finally:
            subprocess.run(["umount", str(home)], check=True)


@contextmanager
def filled(service: Service, but: int = 0) -> Iterator[None]:
    path = service.home / "filler"
    try:
        with suppress(OSError), path.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 16))
        os.truncate(path, path.stat().st_size - but)
        yield
    finally:
        path.unlink()


def tables(service: Service) -> list[tuple[str]]:
    with listening(service.parameters) as session, session.cursor() as cursor:
        cursor.execute("select tablename from pg_tables where schemaname = 'builds' order by 1")
        return cursor.fetchall()


def title(service: Service) -> str | None:
    """Of the problem with reading, if there is one."""
    answer = service.ask("GET", "/etl-results")
    return answer.json["title"] if answer.status == 503 else None


def test_a_build_says_so_and_gives_its_space_back(service: Service) -> None:
    before = tables(service)
    with filled(service, but=SOME):
        answer = service.ask("POST", "/trigger-etl?force=1&wait=60")
        assert service.ask("GET", "/etl-results").status == 200
    assert answer.status in (202, 503)  # There may be no room to note how it ended.
    assert "is full. Make room on it, and try again." in answer.json["message"]
    with listening(service.parameters) as session:
        assert all(ended(session, run.run_id) for run in queue.page(session))
    assert tables(service) == before
    assert service.ask("POST", "/trigger-etl?force=1").status == 200


def test_a_run_outlives_a_server_that_a_full_disk_has_stopped(service: Service) -> None:
    with listening(service.parameters) as session, held_up(service.parameters):
        run = queue.request(session, "http")
        until(lambda: waits_for_lock(session, run.run_id), session=session)
        with filled(service):
            with pytest.raises(psycopg2.OperationalError), session.cursor() as cursor:
                cursor.execute(  # more of its log of changes than there is room for
                    "select pg_logical_emit_message(true, 'x', repeat('x', 1 << 20)) "
                    "from generate_series(1, 64)"
                )
            until(lambda: title(service) == "The disk is full")
    until(lambda: service.ask("GET", "/etl-results").status == 200)
    with listening(service.parameters) as session:
        crashed = ended(session, run.run_id)
        assert (crashed.state, crashed.error_kind) == ("crashed", "database")
        again = until(lambda: queue.latest_try(session, run.run_id), session=session)
        assert again.run_id != run.run_id
        assert ended(session, again.run_id).state == "succeeded"


@pytest.mark.parametrize("is_chunked", [True, False])
def test_a_long_body_is_read_to_its_end_and_refused(service: Service, is_chunked: bool) -> None:
    before = shutil.disk_usage(service.home).free
    with filled(service), closing(http.client.HTTPConnection("127.0.0.1", service.port)) as client:
        body = iter([bytes(1 << 20)] * 20) if is_chunked else bytes(20 << 20)
        client.request("PUT", "/inputs/users.csv", body, encode_chunked=is_chunked)
        answer = client.getresponse()
        assert (answer.status, answer.getheader("Content-Type")) == (507, MEDIA_TYPE)
        assert "Make room" in json.loads(answer.read())["detail"]
    assert shutil.disk_usage(service.home).free > before - RESERVE / 100


def test_who_waits_for_leave_to_send_a_long_body_is_refused_at_once(service: Service) -> None:
    with filled(service), socket.create_connection(("127.0.0.1", service.port)) as client:
        client.sendall(
            b"PUT /inputs/users.csv HTTP/1.1\r\nHost: localhost\r\n"
            b"Expect: 100-continue\r\nContent-Length: 100000000\r\n\r\n"
        )
        assert client.recv(1000).startswith(b"HTTP/1.1 507 ")
