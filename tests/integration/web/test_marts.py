"""The marts over HTTP, as the sample's build published them."""

import csv
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import pytest
from flask.testing import FlaskClient
from psycopg2 import sql

from api.database import Database
from elute.database.sessions import Session
from tests.integration.conftest import MARTS, Laboratory
from tests.integration.web.publishing import publish, published, withdraw
from tests.rules.model import USER_SUMMARY_COLUMNS

OBJECT = "application/vnd.pgrst.object+json"


@pytest.fixture(scope="module", autouse=True)
def _built(built: Laboratory) -> None:
    """Every test here reads that build."""


@contextmanager
def hidden(owner: Session, table: str) -> Iterator[None]:
    """Take a table away for a while."""
    name = sql.Identifier(*table.split("."))
    owner.cursor().execute(sql.SQL("alter table {} rename to hidden").format(name))
    try:
        yield
    finally:
        back = sql.SQL("alter table {} rename to {}").format(
            sql.Identifier(table.partition(".")[0], "hidden"),
            sql.Identifier(table.partition(".")[2]),
        )
        owner.cursor().execute(back)


def users(client: FlaskClient, query: str = "") -> list[int]:
    """The ids that a query finds."""
    response = client.get(f"/etl-results?{query}")
    assert response.status_code == 200, response.text
    return [row["user_id"] for row in response.json or []]


def everything(client: FlaskClient) -> list[dict[str, Any]]:
    """All rows."""
    rows = client.get("/etl-results").json
    assert isinstance(rows, list)
    return rows


def test_results_are_the_nine_columns_ordered_by_user(client: FlaskClient) -> None:
    rows = everything(client)
    assert [tuple(row) for row in rows] == [USER_SUMMARY_COLUMNS] * 14
    assert [row["user_id"] for row in rows] == sorted(row["user_id"] for row in rows)
    assert rows[0] == {
        "user_id": 1,
        "name": "Amara Okafor",
        "email": "amara.okafor@lab.example",
        "signup_date": "2021-03-15",
        "experiment_count": 12,
        "avg_experiment_run_time": 45.0417,
        "compound_id": 10,
        "compound_name": "Theobromine",
        "compound_structure": "C7H8N4O2",
    }


@pytest.mark.parametrize(
    ("query", "rule"),
    [
        ("user_id=eq.3", lambda row: row["user_id"] == 3),
        ("user_id=neq.3", lambda row: row["user_id"] != 3),
        ("user_id=not.eq.3", lambda row: row["user_id"] != 3),
        ("user_id=gt.3&user_id=lte.9", lambda row: 3 < row["user_id"] <= 9),
        ("user_id=gte.3&user_id=lt.9", lambda row: 3 <= row["user_id"] < 9),
        ("user_id=in.(1,2,99)", lambda row: row["user_id"] in (1, 2)),
        ("user_id=not.in.(1,2)", lambda row: row["user_id"] not in (1, 2)),
        ("user_id=in.()", lambda _: False),
        ('name=in.("Amara Okafor",Nobody)', lambda row: row["name"] == "Amara Okafor"),
        ("name=like.*a*", lambda row: "a" in row["name"]),
        ("name=ilike.*A*", lambda row: "a" in row["name"].lower()),
        ("name=not.ilike.*a*", lambda row: "a" not in row["name"].lower()),
        ("name=like(any).{A*,B*}", lambda row: row["name"][0] in "AB"),
        ("signup_date=gte.2022-01-01", lambda row: (row["signup_date"] or "") >= "2022"),
        ("compound_id=is.null", lambda row: row["compound_id"] is None),
        ("compound_id=not.is.null", lambda row: row["compound_id"] is not None),
        ("compound_id=isdistinct.10", lambda row: row["compound_id"] != 10),
        (
            "or=(user_id.lt.3,and(user_id.gt.5,experiment_count.eq.2))",
            lambda row: row["user_id"] < 3 or (row["user_id"] > 5 and row["experiment_count"] == 2),
        ),
        ("not.or=(user_id.lt.3,user_id.gt.5)", lambda row: 3 <= row["user_id"] <= 5),
    ],
)
def test_filters_find_what_they_say(client: FlaskClient, query: str, rule: Any) -> None:
    assert users(client, query) == [row["user_id"] for row in everything(client) if rule(row)]


def test_ordering(client: FlaskClient) -> None:
    rows = everything(client)

    def by_count(row: dict[str, Any]) -> tuple[int, int]:
        return -row["experiment_count"], row["user_id"]

    expected = [row["user_id"] for row in sorted(rows, key=by_count)]
    assert users(client, "order=experiment_count.desc") == expected
    nulls = [row["user_id"] for row in rows if row["compound_id"] is None]
    assert users(client, "order=compound_id.asc.nullsfirst")[: len(nulls)] == nulls
    assert users(client, "order=compound_id.desc.nullslast")[-len(nulls) :] == nulls
    # The column of that name, not another that is called so in the answer.
    swapped = client.get("/etl-results?select=user_id,name:email,email:name&order=name.desc").json
    assert swapped is not None
    names = [row["email"] for row in swapped]
    assert names == sorted(names, reverse=True)


def test_pages_fit_together(client: FlaskClient) -> None:
    pages = [
        users(client, f"limit=4&offset={offset}&order=experiment_count") for offset in (0, 4, 8, 12)
    ]
    assert [len(page) for page in pages] == [4, 4, 4, 2]
    assert [user for page in pages for user in page] == users(client, "order=experiment_count")


@pytest.mark.parametrize(
    ("query", "headers", "status", "content_range"),
    [
        ("", {}, 200, "0-13/*"),
        ("limit=5", {}, 200, "0-4/*"),
        ("", {"Prefer": "count=exact"}, 200, "0-13/14"),
        ("limit=5&offset=5", {"Prefer": "count=exact"}, 206, "5-9/14"),
        ("limit=5", {"Prefer": "count=planned"}, 206, "0-4/14"),
        ("", {"Range-Unit": "items", "Range": "10-19", "Prefer": "count=exact"}, 206, "10-13/14"),
        ("", {"Range": "2-3"}, 200, "2-3/*"),
        ("limit=0", {"Prefer": "count=exact"}, 206, "*/14"),
        ("user_id=gt.99", {"Prefer": "count=exact"}, 200, "*/0"),
        ("user_id=lt.4", {"Prefer": "count=exact"}, 200, "0-2/3"),
        ("offset=15", {"Prefer": "count=exact"}, 416, "*/14"),
        ("select=experiment_count,count()", {"Prefer": "count=exact"}, 200, "0-8/9"),
    ],
)
def test_ranges_and_counts(
    client: FlaskClient, query: str, headers: dict[str, str], status: int, content_range: str
) -> None:
    for response in (
        client.get(f"/etl-results?{query}", headers=headers),
        client.head(f"/etl-results?{query}", headers=headers),
    ):
        assert response.status_code == status
        assert response.headers["Content-Range"] == content_range


def test_rows_are_summed_up(client: FlaskClient) -> None:
    rows = everything(client)
    counts: dict[int, int] = {}
    for row in rows:
        counts[row["experiment_count"]] = counts.get(row["experiment_count"], 0) + 1
    answer = client.get("/etl-results?select=experiment_count,count()").json
    assert answer == [{"experiment_count": key, "count": counts[key]} for key in sorted(counts)]
    sums = client.get(
        "/marts/user_summary?select=n:count(),experiment_count.sum(),least:user_id.min(),"
        "most:name.max()"
    ).json
    assert sums == [
        {
            "n": 14,
            "sum": sum(row["experiment_count"] for row in rows),
            "least": 1,
            "most": max(row["name"] for row in rows),
        }
    ]


def test_one_row_alone(client: FlaskClient) -> None:
    one = client.get("/etl-results?user_id=eq.3", headers={"Accept": OBJECT})
    assert one.json == everything(client)[2]
    assert one.content_type.startswith(OBJECT)
    for query, count in (("user_id=eq.99", "0 rows"), ("", "more than 1 row")):
        response = client.get(f"/etl-results?{query}", headers={"Accept": OBJECT})
        assert response.status_code == 406
        assert response.json is not None
        assert response.json["code"] == "PGRST116"
        assert response.json["detail"].startswith("One row was asked for, and the result has ")
        assert count in response.json["details"]


@pytest.mark.parametrize("mart", MARTS)
def test_each_mart_in_each_form_is_the_same(client: FlaskClient, mart: str) -> None:
    rows = client.get(f"/marts/{mart}").json
    assert rows
    lines = client.get(f"/marts/{mart}", headers={"Accept": "application/x-ndjson"}).text
    assert [json.loads(line) for line in lines.splitlines()] == rows
    text = client.get(f"/marts/{mart}", headers={"Accept": "text/csv"}).text
    table = list(csv.reader(io.StringIO(text)))
    assert table[0] == list(rows[0])
    assert len(table) == len(rows) + 1
    for cells, row in zip(table[1:], rows, strict=True):
        for cell, value in zip(cells, row.values(), strict=True):
            expected = "" if value is None else value
            assert (json.loads(cell) if isinstance(value, (dict, float)) else cell) == (
                expected if isinstance(value, (dict, float)) else str(expected)
            )


def test_names_of_any_letters_and_no_columns_at_all(client: FlaskClient) -> None:
    query = '/etl-results?select="50%25 é":user_id,record:name::text&limit=1'
    assert client.get(query).json == [{"50% é": 1, "record": "Amara Okafor"}]
    headers = {"Accept": "text/csv"}
    assert client.get(query, headers=headers).text == "50% é,record\n1,Amara Okafor\n"
    assert client.get("/etl-results?select=&limit=2").json == [{}, {}]
    assert client.get("/etl-results?select=&limit=2", headers=headers).text == "\n\n\n"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("select=name&name=like.*é*".encode(), [{"name": "Inés Navarro"}]),
        (b"name=like.*\xe9*", "The query is not in UTF-8."),
    ],
)
def test_letters_need_not_be_percent_encoded(client: FlaskClient, query: bytes, said: Any) -> None:
    environ = {"QUERY_STRING": query.decode("latin-1")}
    found = client.get("/etl-results", environ_overrides=environ).json
    assert found is not None
    assert (found["detail"] if isinstance(found, dict) else found) == said


def test_preferences_that_are_obeyed_are_named(client: FlaskClient) -> None:
    strict = {"Prefer": "handling=strict, count=exact"}
    response = client.get("/etl-results?limit=1", headers=strict)
    assert response.headers["Preference-Applied"] == "count=exact, handling=strict"
    refused = client.get("/etl-results", headers={"Prefer": "handling=strict, sort"})
    assert refused.status_code == 400
    assert refused.json is not None
    assert (refused.json["code"], refused.json["details"]) == (
        "PGRST122",
        "Invalid preferences: sort",
    )


def test_a_form_that_is_not_to_be_had(client: FlaskClient) -> None:
    response = client.get("/etl-results", headers={"Accept": "image/png"})
    assert response.status_code == 406
    assert "text/csv" in response.text


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("user_id=eq.abc", "'abc' is no value for user_id, of type bigint."),
        ("user_id=eq.99999999999999999999", "is no value for user_id, of type bigint."),
        ("signup_date=gt.2021-13-40", "'2021-13-40' is no value for signup_date, of type date."),
        ("or=(name.eq.x,avg_experiment_run_time.gt.much)", "'much' is no value for avg_exp"),
        ("nothing=eq.1", "There is no column 'nothing'"),
    ],
)
def test_what_is_wrong_is_said(client: FlaskClient, query: str, said: str) -> None:
    response = client.get(f"/etl-results?{query}")
    assert response.status_code == 400
    assert response.content_type == "application/problem+json"
    assert response.json is not None
    assert said in response.json["detail"]
    assert response.json["instance"] == "/etl-results"


def test_values_are_never_read_as_sql(client: FlaskClient) -> None:
    for text in ("'; drop table marts.user_summary; --", "%s", "\\", "%(x)s", "a'b\\"):
        assert client.get("/etl-results", query_string={"name": f"eq.{text}"}).json == []
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        assert client.get("/etl-results", query_string={"name": f'in.("{quoted}")'}).json == []
    assert len(everything(client)) == 14


def test_another_build_of_the_same_number_is_another_one(
    client: FlaskClient, owner: Session
) -> None:
    tags = {"If-None-Match": client.get("/etl-results").headers["ETag"]}
    assert client.get("/etl-results", headers=tags).status_code == 304
    change = "update builds.publications set invocation_id = reverse(invocation_id)"
    owner.cursor().execute(change)  # As after a server was put back to an earlier state.
    try:
        assert client.get("/etl-results", headers=tags).status_code == 200
    finally:
        owner.cursor().execute(change)
    assert client.get("/etl-results", headers=tags).status_code == 304


def test_an_unknown_mart_and_an_unknown_user(client: FlaskClient) -> None:
    response = client.get("/marts/nothing")
    assert response.status_code == 404
    assert "compound_usage, data_issues" in response.text
    for user_id in ("99", "abc", "99999999999999999999", "1.5"):
        response = client.get(f"/etl-results/{user_id}")
        assert response.status_code == 404
        assert f"There is no user_id '{user_id}'" in response.text
        assert client.get(f"/etl-results/{user_id}/explain").status_code == 404


def test_one_user(client: FlaskClient) -> None:
    assert client.get("/etl-results/3").json == everything(client)[2]
    assert client.get("/etl-results/3?select=name").json == {"name": "Chen Wei"}


def test_a_client_is_told_that_nothing_has_changed(client: FlaskClient, owner: Session) -> None:
    for path in ("/etl-results?limit=3", "/etl-results/3", "/marts/compound_usage"):
        first = client.get(path)
        assert first.headers["Cache-Control"] == "no-cache"
        tags = {"If-None-Match": first.headers["ETag"]}
        again = client.get(path, headers=tags)
        assert (again.status_code, again.data) == (304, b"")
        assert again.headers["ETag"] == first.headers["ETag"]
    since = {"If-Modified-Since": client.get("/etl-results").headers["Last-Modified"]}
    assert client.get("/etl-results", headers=since).status_code == 304
    earlier = {"If-Modified-Since": "Mon, 01 Jan 2024 00:00:00 GMT"}
    assert client.get("/etl-results", headers=earlier).status_code == 200

    tags = {"If-None-Match": client.get("/etl-results").headers["ETag"]}
    assert client.get("/etl-results", headers={**tags, "Accept": "text/csv"}).status_code == 200
    publish(owner)
    after = client.get("/etl-results", headers=tags)
    assert after.status_code == 200
    assert client.get("/etl-results", headers=since).status_code == 200


@pytest.mark.parametrize("query", ["", "&user_id=gte.1"])
def test_totals_and_histograms_are_of_the_published_build(
    client: FlaskClient, owner: Session, query: str
) -> None:
    def found() -> tuple[str, int]:
        counted = {"Prefer": "count=exact"}
        page = client.get(f"/marts/user_summary?limit=2{query}", headers=counted)
        path = f"/marts/user_summary/histogram?column=user_id{query}"
        bins = client.get(path).get_json()["bins"]
        return page.headers["Content-Range"], sum(each["count"] for each in bins)

    assert [found(), found()] == [("0-1/14", 14)] * 2
    with published(owner, "delete from {} where user_id > 3"):
        assert [found(), found()] == [("0-1/3", 3)] * 2
    assert found() == ("0-1/14", 14)


@pytest.mark.parametrize("data_type", ["double precision", "real", "numeric"])
def test_what_is_not_finite_is_in_no_bin_of_a_histogram(
    client: FlaskClient, owner: Session, data_type: str
) -> None:
    value = "(array['NaN', 'infinity', '-infinity', null])[user_id]"
    columns = f"user_id, case when user_id <= 4 then {value} else user_id::text end::{data_type}"
    with published(owner, columns=f"{columns} as value"):
        found = client.get("/marts/user_summary/histogram?column=value&bins=10").get_json()
    assert (found["without"], found["step"]) == (4, 1)
    assert [each["from"] for each in found["bins"]] == list(range(5, 15))
    assert {each["count"] for each in found["bins"]} == {1}


def test_readers_see_nothing_of_a_build_being_published(
    client: FlaskClient, owner: Session
) -> None:
    is_over = threading.Event()
    counts: list[int] = []

    def hammer() -> None:
        while not is_over.is_set():
            response = client.application.test_client().get("/etl-results")
            counts.append(len(response.json or []) if response.status_code == 200 else -1)

    threads = [threading.Thread(target=hammer) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        publish(owner)
    is_over.set()
    for thread in threads:
        thread.join()
    assert len(counts) > 50
    assert set(counts) == {14}


def test_a_version_never_stands_for_the_rows_of_another(
    client: FlaskClient, owner: Session
) -> None:
    is_over = threading.Event()
    seen: set[tuple[str, str]] = set()
    address = "/etl-results?select=user_id,avg_experiment_run_time&order=user_id&limit=3"

    def hammer() -> None:
        while not is_over.is_set():
            response = client.application.test_client().get(address)
            seen.add((response.headers["ETag"].partition("-")[0], response.text))

    threads = [threading.Thread(target=hammer) for _ in range(4)]
    for thread in threads:
        thread.start()
    columns = "user_id, name, email, signup_date, experiment_count"
    columns += ", {}::numeric as avg_experiment_run_time"
    columns += ", compound_id, compound_name, compound_structure"
    try:
        for number in range(50):
            publish(owner, columns.format(number))
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
        withdraw(owner)
    assert len(seen) > 10
    assert len(seen) == len({etag for etag, _ in seen}) == len({text for _, text in seen})


def test_nulls_are_left_out_if_asked(client: FlaskClient) -> None:
    stripped = {"Accept": "application/vnd.pgrst.array+json;nulls=stripped"}
    for few in ("", "&limit=20"):
        path = f"/etl-results?select=user_id,compound_id,name{few}"
        everything, rows = (client.get(path, headers=headers) for headers in ({}, stripped))
        assert rows.content_type == f"{stripped['Accept']}; charset=utf-8"
        assert any(None in row.values() for row in everything.json or [])
        assert json.loads(rows.data) == [
            {name: value for name, value in row.items() if value is not None}
            for row in everything.json or []
        ]
    single = {"Accept": "application/vnd.pgrst.object+json;nulls=stripped"}
    for path in ("/etl-results?compound_id=is.null&limit=1", "/etl-results/14"):
        row = json.loads(client.get(path, headers=single).data)
        assert row["user_id"]
        assert None not in row.values()


def test_a_few_rows_are_of_the_newest_build(client: FlaskClient, owner: Session) -> None:
    few = "/etl-results?limit=2&order=user_id"
    newer = f"{few}&select=user_id,nick&nick=not.is.null"
    first = client.get(few)
    tags = {"If-None-Match": first.headers["ETag"]}
    assert client.get(few, headers=tags).status_code == 304
    assert client.get(newer).status_code == 400
    publish(owner, "user_id, name as nick")
    try:
        assert len(client.get(newer).json or []) == 2
        second = client.get(few, headers=tags)
        assert second.status_code == 200
        assert set((second.json or [{}])[0]) == {"user_id", "nick"}
        counted = client.get(few, headers={"Prefer": "count=exact"})
        assert counted.headers["Content-Range"] == "0-1/14"
    finally:
        withdraw(owner)
    assert client.get(few).json == first.json


def test_a_download_does_no_harm_in_a_spreadsheet(client: FlaskClient, owner: Session) -> None:
    formulas = ["=1+1", "+cmd|' /C calc'!A0", "-x", "@SUM(A1)", "\tx", "\r=1"]
    data = ["-5", "+1.5e3", "C=O", "Zoë", "a;=1", "5-methyl", "[Na+].[Cl-]", None]
    cursor = owner.cursor()
    cursor.execute("create table public.kept as select user_id, name from marts.user_summary")
    try:
        for user_id, name in zip(users(client, "order=user_id"), formulas + data, strict=True):
            cursor.execute(
                "update marts.user_summary set name = %s where user_id = %s", [name, user_id]
            )
        query = "select=name&order=user_id"
        exact = client.get(f"/marts/user_summary?{query}", headers={"Accept": "text/csv"}).data
        saved = client.get(f"/download/user_summary.csv?{query}")
        as_json = client.get(f"/download/user_summary.json?{query}").json
    finally:
        cursor.execute(
            "update marts.user_summary set name = kept.name "
            "from kept where user_summary.user_id = kept.user_id"
        )
        cursor.execute("drop table kept")

    def names(content: bytes) -> list[str | None]:
        lines = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        return [line[0] if line else None for line in lines][1:]

    assert saved.content_type == "text/csv; header=present; charset=utf-8"
    assert saved.data.startswith(b"\xef\xbb\xbfname\n")
    assert names(saved.data) == [*(f"'{text}" for text in formulas), *data]
    assert exact.startswith(b"name\n")
    assert names(exact) == formulas + data
    # What a link calls the columns is text of its author's.
    headed = client.get("/download/user_summary.csv?select=%22%3D1%2B1%22:name,id:user_id&limit=1")
    assert headed.data.decode("utf-8-sig").splitlines()[0] == "'=1+1,id"
    assert as_json == [{"name": name} for name in formulas + data]


def test_nothing_is_built_yet(client: FlaskClient, owner: Session) -> None:
    with hidden(owner, "builds.publications"):
        response = client.get("/marts/compound_usage")
        assert client.get("/marts").json == []
    assert response.status_code == 503
    assert "Nothing has been built yet" in response.text
    assert response.headers["Retry-After"]


def test_a_build_that_is_gone_when_it_is_read_is_looked_up_again(
    client: FlaskClient, owner: Session
) -> None:
    assert len(everything(client)) == 14  # Now its tables are known.
    with owner.cursor() as cursor:
        cursor.execute("select tables -> 'user_summary' ->> 'table' from builds.publications")
        [[table]] = cursor.fetchall()
    catalogue = client.application.extensions["database"].catalogue
    looked_up = catalogue.newest

    def pruned_meanwhile(session: Session) -> object:
        build = looked_up(session)
        publish(owner)
        owner.cursor().execute(f'alter table builds."{table}" rename to pruned')
        catalogue.newest = looked_up
        return build

    catalogue.newest = pruned_meanwhile
    try:
        assert len(everything(client)) == 14
    finally:
        catalogue.newest = looked_up
        owner.cursor().execute(f'alter table builds.pruned rename to "{table}"')
        withdraw(owner)


def test_marts_are_listed(client: FlaskClient) -> None:
    listed = {mart["name"]: mart for mart in client.get("/marts").json or []}
    assert set(listed) == set(MARTS)
    assert listed["input_summary"]["published_at"]
    assert len({mart["build"] for mart in listed.values()}) == 1
    for name, mart in listed.items():
        [row, *_] = client.get(mart["path"]).json or []
        assert [column["name"] for column in mart["columns"]] == list(row), name


def test_every_number_is_explained(client: FlaskClient) -> None:
    for row in everything(client):
        found = client.get(f"/etl-results/{row['user_id']}/explain").json
        assert found is not None
        assert found["is_consistent"] is True
        assert found["note"] is None
        assert found["user"] == row
        assert len(found["experiments"]) == row["experiment_count"]
        times = [each["experiment_run_time"] for each in found["experiments"]]
        known = [time for time in times if time is not None]
        mean = found["avg_experiment_run_time"]
        assert (mean["count"], mean["value"]) == (len(known), row["avg_experiment_run_time"])
        assert (mean["sum"] or 0) == pytest.approx(sum(known))
        used = [each["counted_compound_ids"] for each in found["experiments"]]
        counts = {each["compound_id"]: each["experiment_count"] for each in found["compounds"]}
        for compound_id, count in counts.items():
            assert sum(compound_id in ids for ids in used) == count
        tied = [key for key, count in counts.items() if count == max(counts.values())]
        assert sorted(tied) == found["compound_id"]["tied_compound_ids"]
        assert min(tied, default=None) == row["compound_id"]


def test_every_compound_is_explained(client: FlaskClient) -> None:
    of_users = {
        row["user_id"]: client.get(f"/etl-results/{row['user_id']}/explain").json or {}
        for row in everything(client)
    }
    for row in client.get("/marts/compound_usage").json or []:
        found = client.get(f"/compounds/{row['compound_id']}/explain").json or {}
        assert (found["is_consistent"], found["note"], found["compound"]) == (True, None, row)
        assert len(found["experiments"]) == row["experiment_count"]
        assert len(found["users"]) == row["user_count"]
        for user in found["users"]:
            [same] = [
                each
                for each in of_users[user["user_id"]]["compounds"]
                if each["compound_id"] == row["compound_id"]
            ]
            assert user["experiment_count"] == same["experiment_count"]
            assert user["is_most_common"] == same["is_most_common"]
        times = [each["experiment_run_time"] for each in found["experiments"]]
        known = [time for time in times if time is not None]
        assert found["run_time"]["count"] == len(known)
        assert found["run_time"]["max"] == max(known, default=None)
        if known:
            assert found["run_time"]["mean"] == pytest.approx(sum(known) / len(known), abs=1e-4)


def test_what_was_left_out_that_names_a_compound_is_told(client: FlaskClient) -> None:
    issues = client.get("/marts/data_issues?source_file=eq.user_experiments.csv").json or []
    assert issues
    for row in client.get("/marts/compound_usage").json or []:
        found = client.get(f"/compounds/{row['compound_id']}/explain").json or {}
        for issue in issues:
            named = (issue["record"]["experiment_compound_ids"] or "").split(";")
            is_told = str(row["compound_id"]) in [entry.strip() for entry in named]
            assert (issue in found["data_issues"]) == is_told
    for key in ("999", "-3", "x", "9" * 30):
        assert client.get(f"/compounds/{key}/explain").status_code == 404


@pytest.mark.parametrize(
    ("written", "is_named"),
    [("x;\u200b+007.0\u2028", True), ("7 ;x", True), ("x;-7", False), ("77", False)],
)
def test_a_record_names_a_compound_as_the_rules_read_it(
    client: FlaskClient, owner: Session, written: str, is_named: bool
) -> None:
    ids = f"jsonb_build_object('experiment_compound_ids', '{written}')"
    change = f"update {{}} set record = record || {ids} where source_file = 'user_experiments.csv'"
    with published(owner, change, mart="data_issues", key=""):
        found = client.get("/compounds/7/explain").json or {}
    assert bool(found["data_issues"]) == is_named


def test_what_was_left_out_of_a_user_is_told(client: FlaskClient) -> None:
    issues = client.get("/marts/data_issues?order=record_number").json or []
    for issue in issues:
        user_id = issue["record"]["user_id"]
        response = client.get(f"/etl-results/{user_id}/explain")
        if issue["problem"] == "unknown user":
            assert response.status_code == 404
        else:
            assert issue in (response.json or {})["data_issues"]


def test_an_explanation_says_what_it_lacks(client: FlaskClient, owner: Session) -> None:
    cursor = owner.cursor()
    cursor.execute(
        "create table public.kept as select * from intermediate.int_experiments_validated"
    )
    cursor.execute("delete from intermediate.int_experiments_validated")  # as a crash does
    try:
        found = client.get("/etl-results/1/explain").json
    finally:
        cursor.execute("insert into intermediate.int_experiments_validated select * from kept")
        cursor.execute("drop table kept")
    assert found is not None
    assert found["is_consistent"] is False
    assert "A crash of the server" in found["note"]


def test_a_build_of_an_older_elute_is_not_explained(client: FlaskClient, owner: Session) -> None:
    cursor = owner.cursor()
    cursor.execute("create table public.kept as select * from builds.publications")
    cursor.execute("update builds.publications set tables = tables - 'int_experiments_kept'")
    publish(owner)
    try:
        response = client.get("/etl-results/1/explain")
    finally:
        cursor.execute("update builds.publications set tables = kept.tables from kept")
        cursor.execute("drop table kept")
        publish(owner)
    assert response.status_code == 503
    assert "Build again" in response.text


def test_the_reading_role_can_only_read(database: Database) -> None:
    for statement in (
        "delete from marts.user_summary",
        "create table marts.mine (x bigint)",
        "select * from raw.users",
        "select * from elute.runs",
    ):
        with (
            database.reader.session() as session,
            session.cursor() as cursor,
            pytest.raises(
                (psycopg2.errors.InsufficientPrivilege, psycopg2.errors.ReadOnlySqlTransaction)
            ),
        ):
            cursor.execute(statement)


@pytest.mark.parametrize("path", ["/etl-results", "/marts/user_summary/histogram?column=user_id"])
def test_the_reading_role_gets_its_rights_back(
    client: FlaskClient, owner: Session, path: str
) -> None:
    owner.cursor().execute("revoke usage on schema builds from elute_reader")
    assert client.get(path).status_code == 200
