"""Answers as gzip: which, for whom, and what their ETags and lengths are then."""

import gzip
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from elute.database.sessions import Session
from elute.runs import queue
from tests.integration.conftest import Laboratory

ROWS = "/builds/1/marts/data_issues"  # The address names the build, so the ETag is a strong one.
GZIP = {"Accept-Encoding": "gzip, deflate, br"}


def is_compressed(response: TestResponse) -> bool:
    """Whether it is, as its headers say; its length is that of what is sent."""
    assert response.status_code in (200, 206), response.text
    assert response.content_length in (None, len(response.data))
    assert "Accept-Encoding" in response.vary
    return response.headers.get("Content-Encoding") == "gzip"


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        (ROWS, "application/json"),
        (ROWS, "application/x-ndjson"),
        (ROWS, "text/csv"),
        (ROWS, "application/vnd.pgrst.array+json;nulls=stripped"),
        ("/builds/1/changes/user_summary?from=1&limit=0&select=user_id", "application/json"),
        ("/download/data_issues.csv", "*/*"),
        ("/inputs/user_experiments.csv", "*/*"),
        ("/openapi.json", "*/*"),
        ("/", "text/html"),
    ],
)
def test_what_is_text_is_compressed_for_who_takes_it(
    built: Laboratory, client: FlaskClient, path: str, accept: str
) -> None:
    plain = client.get(path, headers={"Accept": accept})
    assert not is_compressed(plain)
    packed = client.get(path, headers={"Accept": accept, **GZIP})
    assert is_compressed(packed) or len(plain.data) < 512
    data = gzip.decompress(packed.data) if is_compressed(packed) else packed.data
    assert data == plain.data
    assert len(packed.data) <= len(plain.data)
    head = client.head(path, headers={"Accept": accept, **GZIP})
    for name in ("Content-Encoding", "Content-Range", "ETag"):
        assert head.headers.get(name) == packed.headers.get(name)


@pytest.mark.parametrize(
    ("accepted", "is_taken"),
    [
        ("gzip", True),
        ("br, gzip;q=0.1", True),
        ("*", True),
        ("gzip;q=0", False),
        ("identity, gzip;q=0.5", False),
        ("br", False),
        ("", False),
    ],
)
def test_a_client_says_what_it_takes(
    built: Laboratory, client: FlaskClient, accepted: str, is_taken: bool
) -> None:
    assert is_compressed(client.get(ROWS, headers={"Accept-Encoding": accepted})) is is_taken


def test_either_etag_is_known_and_each_is_of_its_bytes(
    built: Laboratory, client: FlaskClient
) -> None:
    plain, packed = (client.get(ROWS, headers=headers).headers["ETag"] for headers in ({}, GZIP))
    assert plain.startswith('"')
    assert packed == f'{plain[:-1]}-gzip"'
    for etag in (plain, packed, f'"other", {packed}'):
        for headers in ({}, GZIP):
            again = client.get(ROWS, headers={"If-None-Match": etag, **headers})
            assert (again.status_code, again.headers["ETag"]) == (304, etag.split(", ")[-1])
            assert "Accept-Encoding" in again.vary
    other = client.get(ROWS, headers={"If-None-Match": '"other-gzip"', **GZIP})
    assert other.status_code == 200


def test_a_weak_etag_is_the_same_in_each_encoding(built: Laboratory, client: FlaskClient) -> None:
    plain, packed = (client.get("/marts/data_issues", headers=headers) for headers in ({}, GZIP))
    assert packed.headers["ETag"] == plain.headers["ETag"]
    assert packed.headers["ETag"].startswith("W/")


def test_a_part_of_the_rows_is_the_same_part(built: Laboratory, client: FlaskClient) -> None:
    path = "/builds/1/marts/user_summary"
    headers = {"Range": "2-8", "Prefer": "count=exact"}
    plain, packed = (client.get(path, headers={**headers, **more}) for more in ({}, GZIP))
    assert packed.status_code == 206
    assert packed.headers["Content-Range"] == plain.headers["Content-Range"]
    assert is_compressed(packed)
    assert gzip.decompress(packed.data) == plain.data


def test_bytes_of_a_file_are_of_the_file_itself(client: FlaskClient, files: Path) -> None:
    path = "/inputs/user_experiments.csv"
    content = (files / "user_experiments.csv").read_bytes()
    packed = client.get(path, headers=GZIP)
    assert is_compressed(packed)
    assert "Accept-Ranges" not in packed.headers
    part = client.get(path, headers={"Range": "bytes=10-19", **GZIP})
    assert (part.status_code, part.data) == (206, content[10:20])
    # Of what it has no range can be had, so it gets the whole.
    headers = {"Range": "bytes=10-19", "If-Range": packed.headers["ETag"]}
    assert client.get(path, headers=headers).data == content


def test_a_file_that_came_compressed_can_be_replaced(client: FlaskClient, files: Path) -> None:
    path = "/inputs/user_experiments.csv"
    packed = client.get(path, headers=GZIP)
    seen = {"If-Match": packed.headers["ETag"]}
    content = gzip.decompress(packed.data)
    assert client.put(path, data=content, headers=seen).status_code == 200
    assert client.put(path, data=content, headers=seen).status_code == 412


def test_a_log_is_compressed_line_by_line(client: FlaskClient, session: Session) -> None:
    path = f"/runs/{queue.request(session, 'http').run_id}/log"
    packed = client.get(path, headers=GZIP)
    assert is_compressed(packed)
    assert gzip.decompress(packed.data).decode() == client.get(path).text


@pytest.mark.parametrize("path", ["/builds/1/package.zip", "/health/live"])
def test_what_would_be_no_shorter_is_sent_as_it_is(
    built: Laboratory, client: FlaskClient, path: str
) -> None:
    assert "Content-Encoding" not in client.get(path, headers=GZIP).headers
