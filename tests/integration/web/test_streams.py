"""Large answers through the web app as a process: whole, broken off, and abandoned."""

import csv
import http.client
import io
import json
import socket
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import NamedTuple

import pytest

from api.marts import sending
from elute.database import schema
from elute.database.sessions import Session, connect
from tests.integration.conftest import Laboratory
from tests.integration.web.publishing import register
from tests.service import web_app

ROWS = 60_000  # about 14 MB of JSON: far more than sockets hold
BROKEN_AT = 30_000
# A table as a build publishes it, and two that go wrong in the middle of an
# answer: a policy is asked of each row as it is read.
_TABLES = """
create table builds.user_summary as
select
    number as user_id,
    'Üser ' || number || E', "quoted"\\n' as name,
    'user' || number || '@lab.example' as email,
    date '2020-01-01' + (number %% 1000)::int as signup_date,
    number %% 37 as experiment_count,
    nullif(trim_scale(round(number::numeric / 7, 4)), 1) as avg_experiment_run_time,
    number %% 500 as compound_id,
    nullif('', 'x') as compound_name,
    nullif('C1', 'C1') as compound_structure
from generate_series(1::bigint, %(rows)s) as number;
alter table builds.user_summary add primary key (user_id);
analyze builds.user_summary;
create table builds.compound_usage as
select
    user_id as compound_id,
    name as compound_name,
    null::text as compound_structure,
    0::bigint as experiment_count,
    0::bigint as user_count
from builds.user_summary;
alter table builds.compound_usage add primary key (compound_id), enable row level security;
create policy broken on builds.compound_usage
using (1 / (%(broken_at)s - compound_id) is not null);
analyze builds.compound_usage;
create function builds.stuck() returns boolean language plpgsql as
$$ begin perform pg_sleep(120); return true; end $$;
create table builds.input_summary as
select
    user_id as source_file,
    user_id as records_read,
    user_id as records_kept,
    user_id as records_dropped,
    name as values_nulled,
    user_id as entries_ignored
from builds.user_summary;
alter table builds.input_summary add primary key (source_file), enable row level security;
create policy stuck on builds.input_summary
using (case when source_file = %(broken_at)s then builds.stuck() else true end);
analyze builds.input_summary;
"""
_MARTS = {
    name: {"schema": "builds", "table": name, "view_schema": "marts", "description": "", "meta": {}}
    for name in ("user_summary", "compound_usage", "input_summary")
}
_COPYING = """
from pg_stat_activity
where datname = current_database() and state = 'active' and query like '%copy (%'
    and pid <> pg_backend_pid()
"""


class Site(NamedTuple):
    """The web app, and a session with what its database's owner may do."""

    port: int
    owner: Session

    def get(self, path: str, **headers: str) -> http.client.HTTPResponse:
        """The beginning of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", path, headers={"Connection": "close", **headers})
        return connection.getresponse()

    def copies(self) -> int:
        """How many exports are going on."""
        with self.owner.cursor() as cursor:
            cursor.execute(f"select count(*) {_COPYING}")
            [row] = cursor.fetchall()
        return int(row[0])

    def wait_for_copies(self, count: int) -> None:
        """Wait until that many are going on, for ten seconds at most."""
        for _ in range(200):
            if self.copies() == count:
                return
            self.owner.cursor().execute("select pg_sleep(0.05)")
        pytest.fail(f"{self.copies()} exports are going on, not {count}")


@pytest.fixture(scope="module")
def site(one_laboratory: Laboratory) -> Iterator[Site]:
    one_laboratory.clear()
    environment = one_laboratory.environment
    schema.upgrade(environment)
    with closing(connect(environment)) as owner:
        owner.cursor().execute(_TABLES, {"rows": ROWS, "broken_at": BROKEN_AT})
        register(owner, _MARTS)
        with web_app(environment) as port:
            yield Site(port, owner)
    one_laboratory.clear()


def rows_of(text: str, media_type: str) -> list[tuple[str, str, str | None]]:
    """Id, name and mean of each row."""
    if media_type == "text/csv":
        table = list(csv.reader(io.StringIO(text, newline="")))[1:]
        return [(row[0], row[1], row[5] or None) for row in table]
    found = json.loads(text) if media_type == "application/json" else None
    rows = found or [json.loads(line) for line in text.splitlines()]
    keys = ("user_id", "name", "avg_experiment_run_time")
    return [
        tuple(None if row[key] is None else str(row[key]) for key in keys)  # type: ignore[misc]
        for row in rows
    ]


@pytest.mark.parametrize("media_type", ["application/json", "application/x-ndjson", "text/csv"])
def test_every_row_arrives_in_each_form(site: Site, media_type: str) -> None:
    with site.get("/etl-results", Accept=media_type, Prefer="count=exact") as response:
        assert response.status == 200
        assert response.headers["Content-Range"] == f"0-{ROWS - 1}/{ROWS}"
        assert response.headers["ETag"]
        text = response.read().decode()
    with site.owner.cursor() as cursor:
        cursor.execute(
            "select user_id::text, name, avg_experiment_run_time::text "
            "from builds.user_summary order by user_summary.user_id"
        )
        expected = cursor.fetchall()
    found = rows_of(text, media_type)
    assert len(found) == ROWS
    for (user_id, name, mean), row in zip(found, expected, strict=True):
        assert (user_id, name) == row[:2]
        assert mean == row[2] or float(mean or 0) == float(row[2] or 0)


@pytest.mark.parametrize("media_type", ["application/json", "application/x-ndjson", "text/csv"])
def test_a_compressed_stream_is_the_same(site: Site, media_type: str) -> None:
    with site.get("/etl-results", Accept=media_type) as response:
        plain = response.read()
    headers = {"Accept": media_type, "Accept-Encoding": "gzip", "Prefer": "count=exact"}
    with site.get("/etl-results", **headers) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert response.headers["Content-Length"] is None
        assert response.headers["Content-Range"] == f"0-{ROWS - 1}/{ROWS}"
        packed = response.read()
    assert zlib.decompress(packed, 31) == plain
    assert len(packed) < len(plain) / 2


def test_a_compressed_stream_begins_before_its_last_row_is_there(site: Site) -> None:
    with site.get("/marts/input_summary", **{"Accept-Encoding": "gzip"}) as response:
        reader, text = zlib.decompressobj(31), b""
        while len(text) < 256 * 1024:
            text += reader.decompress(response.read1())
        assert site.copies() == 1
    assert text.startswith(b'[{"source_file":1,')


def test_a_compressed_stream_that_breaks_off_has_no_end(site: Site) -> None:
    path = "/marts/compound_usage?compound_id=gt.1000"
    response = site.get(path, **{"Accept-Encoding": "gzip"})
    with response, pytest.raises(http.client.IncompleteRead) as raised:
        response.read()
    reader = zlib.decompressobj(31)
    assert b'"compound_id":1001,' in reader.decompress(raised.value.partial)
    assert not reader.eof


def test_small_and_large_answers_look_the_same(site: Site) -> None:
    for media_type in ("application/json", "application/x-ndjson", "text/csv"):
        with site.get("/etl-results?limit=1001", Accept=media_type) as response:
            large = response.read().decode()
        with site.get("/etl-results?limit=1000", Accept=media_type) as response:
            small = response.read().decode()
        assert large.startswith(small.removesuffix("]"))


def test_an_old_client_is_told_the_length(site: Site) -> None:
    with socket.create_connection(("127.0.0.1", site.port), timeout=60) as client:
        client.sendall(
            b"GET /etl-results HTTP/1.0\r\nHost: 127.0.0.1\r\nAccept-Encoding: gzip\r\n\r\n"
        )
        answer = client.makefile("rb").read()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in head.lower()
    assert len(json.loads(body)) == ROWS


def test_an_error_in_the_middle_breaks_the_answer_off(site: Site) -> None:
    with site.get("/marts/compound_usage?compound_id=gt.1000") as response:
        assert response.status == 200
        with pytest.raises(http.client.IncompleteRead) as raised:
            response.read()
    assert b'"compound_id":1001,' in raised.value.partial
    with pytest.raises(json.JSONDecodeError):
        json.loads(raised.value.partial)


def test_an_error_right_after_the_first_rows_is_never_taken_for_the_end(site: Site) -> None:
    # The first block holds about 600 rows, so the error comes while the answer is begun.
    for _ in range(30):
        with site.get(f"/marts/compound_usage?compound_id=gte.{BROKEN_AT - 1200}") as response:
            if response.status == 200:
                with pytest.raises(http.client.IncompleteRead):
                    response.read()
            else:
                assert (response.status, b"division by zero" in response.read()) == (400, True)


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
def test_clients_that_do_not_read_stop_nobody_else(site: Site, version: str) -> None:
    with ExitStack() as held:
        count = 0
        while count < sending.MOST_STREAMS:
            client = held.enter_context(socket.create_connection(("127.0.0.1", site.port), 60))
            client.sendall(f"GET /etl-results {version}\r\nHost: localhost\r\n\r\n".encode())
            count += b" 200 " in client.recv(1000)
        for _ in range(4):
            with site.get("/etl-results") as refused:
                assert refused.status == 503
                assert refused.headers["Retry-After"]
                refused.read()
        for path in ("/health/live", "/etl-results?limit=10"):
            with site.get(path) as response:
                assert response.status == 200
                response.read()
    site.wait_for_copies(0)

    def is_free() -> bool:
        with site.get("/etl-results") as response:
            return response.status == 200

    assert any(is_free() for _ in range(200))


def test_head_tells_no_wrong_length(site: Site) -> None:
    with socket.create_connection(("127.0.0.1", site.port), timeout=60) as client:
        client.sendall(
            b"HEAD /etl-results HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        answer = client.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"content-length" not in answer.lower()


def test_an_error_before_the_first_row_is_a_problem(site: Site) -> None:
    with site.get(f"/marts/compound_usage?compound_id=gte.{BROKEN_AT}") as response:
        assert response.status == 400
        assert "division by zero" in response.read().decode()


@pytest.mark.parametrize(
    ("sqlstate", "title"),
    [("53100", "The disk is full"), ("53200", "Out of memory"), ("57P01", "No database")],
)
def test_a_fault_of_the_database_is_told_in_whatever_language(
    site: Site, sqlstate: str, title: str
) -> None:
    with site.owner.cursor() as cursor:
        cursor.execute("select pg_get_functiondef('builds.stuck'::regproc)")
        [[stuck]] = cursor.fetchall()
        cursor.execute(
            "create or replace function builds.stuck() returns boolean language plpgsql as $$ begin"
            f" raise exception using errcode = '{sqlstate}', message = 'Kein Platz mehr'; end $$"
        )
        try:
            with site.get(f"/marts/input_summary?source_file=eq.{BROKEN_AT}") as response:
                problem = json.loads(response.read())
        finally:
            cursor.execute(stuck)
    assert (response.status, problem["title"]) == (503, title)


def test_a_killed_backend_breaks_the_answer_off(site: Site) -> None:
    with site.get("/marts/input_summary", Accept="text/csv") as response:
        assert response.read(1000)
        site.wait_for_copies(1)
        site.owner.cursor().execute(f"select pg_terminate_backend(pid) {_COPYING}")
        with pytest.raises(http.client.IncompleteRead):
            response.read()
    with site.get("/etl-results?limit=1") as response:
        assert response.status == 200


def test_a_client_that_goes_away_ends_the_query(site: Site) -> None:
    with site.get("/marts/input_summary") as response:
        assert response.read(1000)
        site.wait_for_copies(1)
    response.close()
    site.wait_for_copies(0)


def test_a_slow_client_keeps_no_build_from_publishing(site: Site) -> None:
    with site.get("/etl-results") as response:
        assert response.read(1000)
        with site.owner.cursor() as cursor:
            cursor.execute("begin; set local lock_timeout = '5s'")
            cursor.execute("lock table builds.publications in share row exclusive mode")
            cursor.execute("create or replace view marts.user_summary as select 1 as user_id")
            cursor.execute("rollback")
        assert len(response.read()) > 10_000_000


def test_a_large_answer_that_is_known_is_not_sent_again(site: Site) -> None:
    with site.get("/etl-results") as response:
        tag = response.headers["ETag"]
        response.read()
    with site.get("/etl-results", **{"If-None-Match": tag}) as response:
        assert (response.status, response.read()) == (304, b"")
