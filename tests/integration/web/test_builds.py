"""Builds over HTTP: each with its marts as they were, for as long as its tables are kept."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
from flask import Flask
from flask.testing import FlaskClient
from postgrest import CountMethod, SyncPostgrestClient
from postgrest.exceptions import APIError
from psycopg2 import sql

from elute.database import builds as catalogue
from elute.database.sessions import Session, connect
from tests.integration.conftest import MARTS, Laboratory
from tests.integration.web.conftest import ClientWith
from tests.integration.web.publishing import publish, register, withdraw

WITH_NAMES_IN_CAPITALS = (
    "user_id, upper(name) as name, email, signup_date, experiment_count, avg_experiment_run_time, "
    "compound_id, compound_name, compound_structure"
)


@pytest.fixture(scope="module", autouse=True)
def builds(built: Laboratory) -> Iterator[tuple[int, int]]:
    """The numbers of two builds: the sample, and the same with names in capitals, the newest."""
    with closing(connect()) as owner:
        withdraw(owner)
        publish(owner, WITH_NAMES_IN_CAPITALS)
        with owner.cursor() as cursor:
            cursor.execute("select build from builds.publications order by build")
            [[first], [second]] = cursor.fetchall()
        yield first, second
        withdraw(owner)


def got(client: FlaskClient, path: str) -> Any:
    """The JSON that is there."""
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json


def published_at(client: FlaskClient, build: int) -> datetime:
    """When a build was published."""
    return datetime.fromisoformat(got(client, f"/builds/{build}")["published_at"])


@contextmanager
def pruned(owner: Session, build: int, mart: str = "user_summary") -> Iterator[None]:
    """Take the table of a mart of a build away for a while."""
    with owner.cursor() as cursor:
        cursor.execute(
            "select tables -> %s ->> 'table' from builds.publications where build = %s",
            [mart, build],
        )
        [[table]] = cursor.fetchall()
        rename = sql.SQL("alter table builds.{} rename to {}")
        names = sql.Identifier(table), sql.Identifier("pruned")
        cursor.execute(rename.format(*names))
        try:
            yield
        finally:
            cursor.execute(rename.format(*reversed(names)))


def test_builds_are_listed_with_what_they_were_made_of(
    client: FlaskClient, builds: tuple[int, int], built: Laboratory
) -> None:
    first, second = builds
    answer = got(client, "/builds")
    assert [build["build"] for build in answer["builds"]] == [second, first]
    assert answer["next"] is None
    oldest = answer["builds"][1]
    [row] = built.rows(
        f"select files, options, project_version from builds.publications where build = {first}"
    )
    assert {name: oldest[name] for name in row} == row
    assert set(oldest["files"]) >= {"users.csv", "user_experiments.csv", "compounds.csv"}
    assert [mart["name"] for mart in oldest["marts"]] == sorted(MARTS)
    assert oldest["is_kept"] is True
    assert client.get(f"/builds/{first}").json == oldest
    assert client.get(oldest["marts"][0]["path"]).status_code == 200


def test_builds_come_in_pages(client: FlaskClient, builds: tuple[int, int]) -> None:
    pages = []
    following = "/builds?limit=1"
    while following:
        page = got(client, following)
        pages.append([build["build"] for build in page["builds"]])
        following = page["next"]
    assert pages == [[builds[1]], [builds[0]], []]
    assert client.get("/builds?limit=0").status_code == 400
    assert client.get("/builds?before=x").status_code == 400


def test_the_marts_of_a_build_are_described(client: FlaskClient, builds: tuple[int, int]) -> None:
    found = {mart["name"]: mart for mart in got(client, f"/builds/{builds[0]}/marts")}
    assert sorted(found) == sorted(MARTS)
    users = found["user_summary"]
    assert users["path"] == f"/builds/{builds[0]}/marts/user_summary"
    assert (users["build"], users["key"]) == (builds[0], ["user_id"])
    assert users["columns"][0]["name"] == "user_id"


def test_each_build_has_its_own_rows_for_ever(client: FlaskClient, builds: tuple[int, int]) -> None:
    query = "select=name&user_id=eq.1"
    first, second = (client.get(f"/builds/{n}/marts/user_summary?{query}") for n in builds)
    assert (first.json, second.json) == ([{"name": "Amara Okafor"}], [{"name": "AMARA OKAFOR"}])
    assert client.get(f"/marts/user_summary?{query}").json == second.json
    assert first.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    etag = first.headers["ETag"]
    assert etag.startswith('"')
    assert etag != second.headers["ETag"]
    again = client.get(
        f"/builds/{builds[0]}/marts/user_summary?{query}", headers={"If-None-Match": etag}
    )
    assert (again.status_code, again.headers["ETag"]) == (304, etag)
    assert again.headers["Cache-Control"] == first.headers["Cache-Control"]


def test_an_answer_that_is_another_one_tomorrow_is_kept_by_nobody(
    client: FlaskClient, builds: tuple[int, int]
) -> None:
    for path in ("/marts/user_summary", f"/builds/{builds[0]}/marts/user_summary"):
        for query in ("signup_date=lte.today", "signup_date=lte.Today", "or=(signup_date.lt.now)"):
            first = client.get(f"{path}?{query}")
            assert (first.status_code, bool(first.json)) == (200, True), first.text
            assert first.headers["Cache-Control"] == "no-store"
            for kept in (
                {"If-None-Match": first.headers["ETag"]},
                {"If-Modified-Since": first.headers["Last-Modified"]},
            ):
                assert client.get(f"{path}?{query}", headers=kept).status_code == 200


def test_builds_are_kept_for_as_long_as_their_tables_are(
    client_with: ClientWith, builds: tuple[int, int]
) -> None:
    # With one build to keep, an older one stays, to which there was a return.
    client = client_with(keep_builds=1)
    found = got(client, "/builds/marts/experiment_stats?select=build")
    assert [row["build"] for row in found] == [*builds]


def test_a_mart_over_the_builds_that_are_kept(
    client: FlaskClient, builds: tuple[int, int], owner: Session
) -> None:
    first, second = builds
    path = "/builds/marts/user_summary?select=build,published_at,name&user_id=eq.1"
    answer = client.get(path)
    assert [(row["build"], row["name"]) for row in answer.get_json()] == [
        (first, "Amara Okafor"),
        (second, "AMARA OKAFOR"),
    ]
    with owner.cursor() as cursor:  # Python 3.10 reads no time whose fraction ends with a nought.
        given = [row["published_at"] for row in answer.get_json()]
        cursor.execute("select %s::timestamptz[]", [given])
        [[times]] = cursor.fetchall()
    assert times == [published_at(client, build) for build in builds]
    assert answer.headers["Cache-Control"] == "no-cache"
    known = {"If-None-Match": answer.headers["ETag"]}
    assert client.get(path, headers=known).status_code == 304
    with pruned(owner, first):
        assert [row["build"] for row in client.get(path, headers=known).get_json()] == [second]
    [newest] = got(client, "/marts/experiment_stats?select=experiment_count,user_count")
    counted = got(client, "/builds/marts/experiment_stats?select=build,experiment_count,user_count")
    assert counted == [{"build": build, **newest} for build in builds]
    assert client.get("/builds/marts/nothing").status_code == 404
    page = client.get(
        "/builds/marts/input_summary?limit=2&offset=2", headers={"Accept": "text/csv"}
    )
    assert page.text.splitlines()[1].startswith(f"{first},")
    assert page.text.splitlines()[2].startswith(f"{second},")


@pytest.mark.parametrize(
    "columns", ["user_id, name", "user_id, name, experiment_count::text as experiment_count"]
)
def test_what_an_earlier_build_has_not_or_in_another_type_is_null(
    client: FlaskClient, builds: tuple[int, int], owner: Session, columns: str
) -> None:
    publish(owner, columns)  # The newest says what the columns are, so it is published once more.
    with owner.cursor() as cursor:
        cursor.execute("select tables from builds.publications where build = %s", [builds[0]])
        [[tables]] = cursor.fetchall()
    register(owner, tables)
    try:
        rows = got(
            client, "/builds/marts/user_summary?select=build,name,experiment_count&user_id=eq.1"
        )
        [count] = {row["experiment_count"] for row in rows} - {None}
        assert [row["experiment_count"] for row in rows] == [count, count, None, count]
        assert [row["name"].upper() for row in rows] == ["AMARA OKAFOR"] * 4
    finally:
        owner.cursor().execute("delete from builds.publications where build > %s", [builds[1]])


def test_a_build_that_did_not_serve_the_mart_is_left_out(
    client: FlaskClient, builds: tuple[int, int], owner: Session
) -> None:
    change = (
        "update builds.publications "
        "set tables = jsonb_set(tables, '{user_summary,meta,served}', %s) where build = %s"
    )
    owner.cursor().execute(change, ["false", builds[0]])
    try:
        rows = got(client, "/builds/marts/user_summary?select=build&user_id=eq.1")
        assert rows == [{"build": builds[1]}]
    finally:
        owner.cursor().execute(change, ["true", builds[0]])


@pytest.mark.parametrize("accept", ["text/csv", "application/x-ndjson", "application/json"])
def test_a_build_is_served_as_the_newest_is(
    client: FlaskClient, builds: tuple[int, int], accept: str
) -> None:
    for query in ("", "?select=compound_id,count()", "?name=like.A*&order=name.desc&limit=2"):
        headers = {"Accept": accept, "Prefer": "count=exact"}
        of_build = client.get(f"/builds/{builds[1]}/marts/user_summary{query}", headers=headers)
        newest = client.get(f"/marts/user_summary{query}", headers=headers)
        assert of_build.data == newest.data
        for name in ("Content-Type", "Content-Range"):
            assert of_build.headers[name] == newest.headers[name]
    wrong = client.get(f"/builds/{builds[1]}/marts/user_summary?nothing=eq.1")
    assert (wrong.status_code, wrong.get_json()["code"]) == (400, "42703")


def test_with_a_token_for_reading_only_the_client_keeps_it(
    client_with: ClientWith, builds: tuple[int, int]
) -> None:
    client = client_with(read_token="x")
    path = f"/builds/{builds[0]}/marts/user_summary"
    assert client.get(path).status_code == 401
    answer = client.get(path, headers={"Authorization": "Bearer x"})
    assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"


def test_a_client_of_postgrest_changes_its_base_address(
    app: Flask, builds: tuple[int, int]
) -> None:
    base = f"http://localhost/builds/{builds[0]}/marts"
    with httpx.Client(transport=httpx.WSGITransport(app=app), base_url=base) as http:
        postgrest = SyncPostgrestClient(base, http_client=http)
        users = postgrest.from_("user_summary")
        page = users.select("*", count=CountMethod("exact")).ilike("name", "a%").execute()
        one = users.select("name").eq("user_id", 1).single().execute()
        other = SyncPostgrestClient("http://localhost/builds/999/marts", http_client=http)
        with pytest.raises(APIError, match="There is no build 999"):
            other.from_("user_summary").select("*").execute()
    assert [row["name"] for row in page.data][:1] == ["Amara Okafor"]
    assert page.count == len(page.data)
    assert one.data == {"name": "Amara Okafor"}


@pytest.mark.parametrize("number", ["999999", str(2**63), str(2**200)])
def test_a_build_that_never_was(client: FlaskClient, number: str) -> None:
    for path in ("", "/marts", "/marts/user_summary"):
        answer = client.get(f"/builds/{number}{path}")
        assert answer.status_code == 404
        assert answer.headers["Cache-Control"] == "no-store"
        assert f"There is no build {number}; /builds lists" in answer.text


def test_a_mart_that_a_build_never_had(client: FlaskClient, builds: tuple[int, int]) -> None:
    answer = client.get(f"/builds/{builds[0]}/marts/nothing")
    assert answer.status_code == 404
    assert "there are compound_usage" in answer.text


def test_a_build_whose_tables_are_gone_says_which_are_kept(
    client: FlaskClient, builds: tuple[int, int], owner: Session
) -> None:
    path = f"/builds/{builds[0]}/marts/user_summary"
    etag = client.get(path).headers["ETag"]
    with pruned(owner, builds[0]):
        answer = client.get(path, headers={"If-None-Match": etag})
        assert got(client, f"/builds/{builds[0]}")["is_kept"] is False
        marts = {mart["name"]: mart for mart in got(client, f"/builds/{builds[0]}/marts")}
    assert answer.status_code == 410
    assert answer.get_json()["kept"] == [builds[1]]
    assert f"The tables of build {builds[0]} are no longer kept." in answer.get_json()["detail"]
    assert f"{builds[1]}. ELUTE_KEEP_BUILDS, which is 10" in answer.get_json()["detail"]
    assert marts["user_summary"]["columns"] == []


def test_a_build_that_is_pruned_between_look_up_and_reading(
    client: FlaskClient,
    builds: tuple[int, int],
    owner: Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_up = catalogue.numbered
    with ExitStack() as stack:

        def pruned_meanwhile(session: Session, number: int) -> object:
            build = looked_up(session, number)
            stack.enter_context(pruned(owner, number))
            monkeypatch.setattr(catalogue, "numbered", looked_up)
            return build

        monkeypatch.setattr(catalogue, "numbered", pruned_meanwhile)
        assert client.get(f"/builds/{builds[0]}/marts/user_summary").status_code == 410


def test_as_of_a_time_leads_to_the_build_that_was_published_then(
    client: FlaskClient, builds: tuple[int, int]
) -> None:
    first, second = builds
    moment = published_at(client, second)
    query = "select=name&user_id=eq.1"
    for path in ("/marts/user_summary", "/etl-results"):
        for build, time in (
            (second, moment),
            (second, moment + timedelta(days=400)),
            (first, moment - timedelta(microseconds=1)),
            (first, published_at(client, first)),
        ):
            answer = client.get(f"{path}?as_of={time.isoformat()}&{query}")
            assert answer.status_code == 302
            assert answer.headers["Location"] == f"/builds/{build}/marts/user_summary?{query}"
            assert answer.headers["Cache-Control"] == "no-cache"
            assert answer.headers["Link"] == f'<{path}?{query}>; rel="original timegate"'
    encoded = client.get(f"/marts/user_summary?{query}&as%5Fof={moment}")
    assert encoded.headers["Location"].endswith(f"/marts/user_summary?{query}")
    followed = client.get(f"/marts/user_summary?{query}&as_of={moment}", follow_redirects=True)
    assert followed.json == [{"name": "AMARA OKAFOR"}]


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("2030-01-01", "Europe/Berlin"),
        ("2030-01-01T06:00", "UTC"),
        ("2030-01-01 06:00:00.250", "UTC"),
        ("2030-01-01T06:00Z", "UTC"),
        ("2030-01-01T06:00+01:00", "UTC"),
        ("2030-01-01T06:00:00.1922+00:00", "UTC"),  # as a mart has times
        ("2030-01-01T06:00:00.1234567Z", "UTC"),
        ("9999-12-31T23:59-14:00", "UTC"),
        ("9999-12-31T23:59:59-23:59", "UTC"),
    ],
)
def test_a_time_may_be_written_in_these_ways(
    client: FlaskClient,
    builds: tuple[int, int],
    text: str,
    zone: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", zone)
    answer = client.get(f"/marts/user_summary?as_of={text}")
    assert answer.headers["Location"] == f"/builds/{builds[1]}/marts/user_summary"


def test_a_time_without_an_offset_is_in_the_zone_of_the_service(
    client: FlaskClient, builds: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = published_at(client, builds[1])
    for zone, hours in (("UTC", 0), ("<+05>-5", 5), ("<-05>5", -5)):
        monkeypatch.setenv("TZ", zone)
        local = moment.astimezone(timezone(timedelta(hours=hours))).replace(tzinfo=None)
        for build, time in ((builds[1], local), (builds[0], local - timedelta(microseconds=1))):
            answer = client.get(f"/marts/user_summary?as_of={time.isoformat()}")
            assert answer.headers["Location"] == f"/builds/{build}/marts/user_summary"


def test_accept_datetime_is_negotiated(client: FlaskClient, builds: tuple[int, int]) -> None:
    path = "/marts/user_summary"
    later = format_datetime(published_at(client, builds[1]) + timedelta(days=1), usegmt=False)
    answer = client.get(path, headers={"Accept-Datetime": later})
    assert (answer.status_code, answer.headers["Vary"]) == (302, "Accept-Datetime")
    location = answer.headers["Location"]
    assert location == f"/builds/{builds[1]}/marts/user_summary"
    memento = client.get(location)
    assert memento.headers["Link"] == f'<{path}>; rel="original timegate"'
    assert "Accept-Datetime" not in memento.headers["Vary"]
    assert "Accept-Datetime" in client.get(path).headers["Vary"]
    again = client.get(path, headers={"Accept-Datetime": memento.headers["Memento-Datetime"]})
    assert again.headers["Location"] == location


def test_before_the_first_build(client: FlaskClient, builds: tuple[int, int]) -> None:
    first = published_at(client, builds[0])
    for answer in (
        client.get("/marts/user_summary?as_of=0001-01-01"),
        client.get("/marts/user_summary?as_of=0001-01-01T00:00:00%2B23:59"),
        client.get(f"/etl-results?as_of={first - timedelta(microseconds=1)}"),
        client.get(
            "/marts/user_summary", headers={"Accept-Datetime": "Fri, 20 Nov 1998 06:00:00 GMT"}
        ),
        client.get(  # PostgreSQL knows no such offset.
            "/etl-results", headers={"Accept-Datetime": "Fri, 20 Nov 1998 06:00:00 +2300"}
        ),
    ):
        assert answer.status_code == 404
        assert f"the first build was at {first.isoformat()}" in answer.get_json()["detail"]


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "2026-11-20T25:00", "eq.3", "é"])
def test_a_time_that_cannot_be_read(client: FlaskClient, text: str) -> None:
    answer = client.get("/marts/user_summary", query_string={"as_of": text})
    assert answer.status_code == 400
    assert "as_of is a time such as 2026-11-20T06:00" in answer.get_json()["detail"]
    answer = client.get("/marts/user_summary", headers={"Accept-Datetime": text or "soon"})
    assert answer.status_code == 400


def test_the_other_parameters_are_kept_whatever_is_in_them(
    client: FlaskClient, builds: tuple[int, int]
) -> None:
    answer = client.get("/marts/user_summary?name=eq.%22a%26b%0D%0A%22&as_of=2999-01-01&or=(é.x)")
    target = answer.headers["Location"].partition("?")[2]
    assert target == "name=eq.%22a%26b%0D%0A%22&or=(%C3%A9.x)"


def test_nothing_is_built_yet(client: FlaskClient, owner: Session) -> None:
    rename = sql.SQL("alter table builds.{} rename to {}")
    names = sql.Identifier("publications"), sql.Identifier(f"hidden_{uuid4().hex}")
    owner.cursor().execute(rename.format(*names))
    try:
        assert client.get("/builds").json == {"builds": [], "next": None}
        assert client.get("/builds/1").status_code == 404
        assert client.get("/builds/1/marts/user_summary").status_code == 404
        assert client.get("/marts/user_summary?as_of=2999-01-01").status_code == 503
        assert client.get("/builds/marts/user_summary").status_code == 503
    finally:
        owner.cursor().execute(rename.format(*reversed(names)))


@pytest.mark.parametrize("path", ["/builds", "/runs", "/marts/user_summary"])
def test_a_query_that_is_not_in_utf_8(client: FlaskClient, path: str) -> None:
    answer = client.get(path, environ_overrides={"QUERY_STRING": "limit=\xe9"})
    assert answer.status_code == 400
    assert answer.get_json()["detail"] == "The query is not in UTF-8."
