"""What changed between two builds, over HTTP."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from elute.database.sessions import Session
from tests.integration.conftest import MARTS, Laboratory
from tests.integration.web.conftest import ClientWith
from tests.integration.web.publishing import publish, register, withdraw

Publish = Callable[..., tuple[int, int]]
COLUMNS = (
    "user_id, name, email, signup_date, experiment_count, avg_experiment_run_time, compound_id, "
    "compound_name, compound_structure"
)
# Users 1 and 2 changed, 3 removed, 99 added.
CHANGED = f"""
(case when user_id = 3 then 99 else user_id end) as user_id,
(case when user_id <= 2 then upper(name) else name end) as name,
(case when user_id = 2 then null else email end) as email,
{COLUMNS.partition("email, ")[2]}
"""


@pytest.fixture
def owner(built: Laboratory, owner: Session) -> Iterator[Session]:
    """The same; afterwards there is the sample's build alone."""
    yield owner
    withdraw(owner)


@pytest.fixture
def published(owner: Session, client: FlaskClient) -> Publish:
    """Publish the sample again, with these columns; the number of its build, and of the new one."""

    def one_more(columns: str) -> tuple[int, int]:
        publish(owner, columns)
        [new, old] = got(client, "/builds")["builds"]
        return old["build"], new["build"]

    return one_more


def got(client: FlaskClient, path: str, **headers: str) -> Any:
    """The JSON that is there."""
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text)


def of_mart(answer: Any, name: str = "user_summary") -> Any:
    """A mart's part of what changed."""
    [found] = [mart for mart in answer["marts"] if mart["name"] == name]
    return found


def test_a_summary_counts_what_was_added_removed_and_changed(
    client: FlaskClient, published: Publish
) -> None:
    first, build = published(CHANGED)
    answer = got(client, f"/builds/{build}/changes")
    assert (answer["build"], answer["from"]) == (build, first)
    assert [mart["name"] for mart in answer["marts"]] == sorted(MARTS)
    assert (answer["new_marts"], answer["gone_marts"], answer["not_kept"]) == ([], [], [])
    users = of_mart(answer)
    assert users["key"] == ["user_id"]
    assert [users[kind] for kind in ("added", "removed", "changed")] == [1, 1, 2]
    different = {name: count for name, count in users["columns"].items() if count}
    assert different == {"name": 2, "email": 1}
    assert set(users["columns"]) == set(COLUMNS.split(", ")) - {"user_id"}
    samples = users["samples"]
    assert [row["user_id"] for row in samples["changed"]] == [1, 2]
    assert samples["changed"][0]["before_name"] == "Amara Okafor"
    assert samples["changed"][0]["after_name"] == "AMARA OKAFOR"
    assert [row["user_id"] for row in samples["added"]] == [99]
    assert samples["added"][0]["before_name"] is None
    assert samples["removed"][0]["after_name"] is None
    others = [mart for mart in answer["marts"] if mart["name"] != "user_summary"]
    assert {mart[kind] for mart in others for kind in ("added", "removed", "changed")} == {0}


def test_the_other_way_round(client: FlaskClient, published: Publish) -> None:
    first, build = published(CHANGED)
    users = of_mart(got(client, f"/builds/{first}/changes?from={build}"))
    assert [row["user_id"] for row in users["samples"]["added"]] == [3]
    assert users["samples"]["changed"][0]["after_name"] == "Amara Okafor"
    same = of_mart(got(client, f"/builds/{build}/changes?from={build}"))
    assert [same[kind] for kind in ("added", "removed", "changed")] == [0, 0, 0]


def test_at_most_ten_samples_of_each(client: FlaskClient, published: Publish) -> None:
    _, build = published(COLUMNS.replace("name,", "name || '!' as name,", 1))
    users = of_mart(got(client, f"/builds/{build}/changes"))
    assert users["changed"] == 14
    assert [row["user_id"] for row in users["samples"]["changed"]] == list(range(1, 11))


def test_the_rows_are_asked_for_as_those_of_a_mart(client: FlaskClient, published: Publish) -> None:
    first, build = published(CHANGED)
    path = of_mart(got(client, f"/builds/{build}/changes"))["path"]
    assert path == f"/builds/{build}/changes/user_summary?from={first}"
    rows = got(client, path)
    assert [(row["user_id"], row["change"]) for row in rows] == [
        (1, "changed"), (2, "changed"), (3, "removed"), (99, "added"),
    ]  # fmt: skip
    assert list(rows[0])[:4] == ["user_id", "change", "before_name", "after_name"]
    found = got(client, f"{path}&change=eq.changed&select=after_name&order=user_id.desc&limit=1")
    assert found == [{"after_name": "BRUNO KELLER"}]
    assert got(client, f"{path}&select=change,count()") == [
        {"change": "added", "count": 1},
        {"change": "changed", "count": 2},
        {"change": "removed", "count": 1},
    ]
    answer = client.get(path, headers={"Prefer": "count=exact", "Range": "0-1"})
    assert (answer.status_code, answer.headers["Content-Range"]) == (206, "0-1/4")
    text = client.get(path, headers={"Accept": "text/csv"}).text
    read = list(csv.DictReader(io.StringIO(text)))
    assert [row["before_name"] for row in read] == ["Amara Okafor", "Bruno Keller", "Chen Wei", ""]
    lines = client.get(path, headers={"Accept": "application/x-ndjson"}).text.splitlines()
    assert [json.loads(line) for line in lines] == rows
    saved = client.get("/download" + path.replace("?", ".csv?"))
    assert saved.data == b"\xef\xbb\xbf" + text.encode()
    assert saved.headers["Content-Disposition"] == (
        f'attachment; filename="user_summary-changes-{build}.csv"'
    )
    wrong = client.get(f"{path}&name=eq.x").get_json()
    assert "There is no column 'name' in the changes of user_summary" in wrong["detail"]


def test_what_changed_may_be_kept_for_ever(client: FlaskClient, published: Publish) -> None:
    _, build = published(CHANGED)
    for path in (f"/builds/{build}/changes", f"/builds/{build}/changes/user_summary"):
        answer = client.get(path)
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        etag = answer.headers["ETag"]
        assert client.get(path, headers={"If-None-Match": etag}).status_code == 304
    assert (
        client.get(f"/builds/{build}/changes", headers={"If-None-Match": etag}).status_code == 200
    )


def test_columns_that_only_one_build_has_are_named_and_not_compared(
    client: FlaskClient, published: Publish
) -> None:
    _, build = published(COLUMNS.replace("email", "'x'::text as phone"))
    users = of_mart(got(client, f"/builds/{build}/changes"))
    assert (users["new_columns"], users["gone_columns"]) == (["phone"], ["email"])
    assert users["changed"] == 0
    assert not {"email", "phone"} & set(users["columns"])


def test_a_column_of_another_type_is_compared_as_it_is_written(
    client: FlaskClient, published: Publish
) -> None:
    count = "(case when user_id = 1 then 'many' else experiment_count::text end)"
    _, build = published(COLUMNS.replace("experiment_count", f"{count} as experiment_count"))
    users = of_mart(got(client, f"/builds/{build}/changes"))
    assert (users["changed"], users["columns"]["experiment_count"]) == (1, 1)
    [row] = got(client, users["path"])
    assert (row["before_experiment_count"], row["after_experiment_count"]) == (12, "many")


def test_the_one_row_of_a_mart_without_a_key_has_changed(
    client: FlaskClient, owner: Session, built: Laboratory
) -> None:
    with owner.cursor() as cursor:
        cursor.execute("select tables from builds.publications order by build desc limit 1")
        [[tables]] = cursor.fetchall()
        for number, row in ((1, """5, '{"x": 1}', '[1]'"""), (2, """6, '{"x": 2}', '[1]'""")):
            cursor.execute(
                f"create table builds.sums_{number} (n bigint, record jsonb, raw json);"
                f"insert into builds.sums_{number} values ({row})"
            )
            sums = {**tables["input_summary"], "table": f"sums_{number}"}
            register(owner, {**tables, "sums": sums})
        cursor.execute("select max(build) from builds.publications")
        [[build]] = cursor.fetchall()
    try:
        found = of_mart(got(client, f"/builds/{build}/changes"), "sums")
        [row] = got(client, found["path"])
        same = of_mart(got(client, f"/builds/{build}/changes?from={build}"), "sums")
    finally:
        owner.cursor().execute("drop table builds.sums_1, builds.sums_2")
    assert found["key"] == []
    assert [found[kind] for kind in ("added", "removed", "changed")] == [0, 0, 1]
    assert found["columns"] == {"n": 1, "record": 1, "raw": 0}
    assert (row["change"], row["before_n"], row["after_n"]) == ("changed", 5, 6)
    assert [same[kind] for kind in ("added", "removed", "changed")] == [0, 0, 0]


def test_a_mart_without_a_key_is_compared_as_a_bag_of_rows(
    client: FlaskClient, owner: Session, built: Laboratory
) -> None:
    with owner.cursor() as cursor:
        cursor.execute("select build, tables from builds.publications order by build desc limit 1")
        [[first, tables]] = cursor.fetchall()
        cursor.execute(
            'drop table if exists builds."bags_1", builds."bags_2";'
            'create table builds."bags_1" '
            '("50% ""off""" text, record jsonb, raw json, n numeric, more json[]);'
            'create table builds."bags_2" (like builds."bags_1");'
            "insert into builds.bags_1 values"
            """ ('a', '{"x": 1}', '[1]', 1), ('a', '{"x": 1}', '[1]', 1), ('b', null, null, 2);"""
            "insert into builds.bags_2 values"
            """ ('a', '{"x": 1}', '[1]', 1.0), ('b', null, null, 3), ('b', null, null, 3)"""
        )
        for table in ("bags_1", "bags_2"):
            register(owner, {**tables, "bags": {**tables["input_summary"], "table": table}})
        cursor.execute("select max(build) from builds.publications")
        [[build]] = cursor.fetchall()
    try:
        before = of_mart(got(client, f"/builds/{build}/changes"), "bags")
        rows = got(client, before["path"])
        found = got(client, f"{before['path']}&change=eq.removed&select=before_n")
        new = got(client, f"/builds/{build}/changes?from={first}")
        gone = got(client, f"/builds/{first}/changes?from={build}")
        missing = client.get(f"/builds/{build}/changes/bags?from={first}")
    finally:
        owner.cursor().execute("drop table builds.bags_1, builds.bags_2")
    assert before["key"] == []
    assert [before[kind] for kind in ("added", "removed", "changed")] == [2, 2, 0]
    assert [(row["change"], row['before_50% "off"'], row["after_n"]) for row in rows] == [
        ("added", None, 3), ("added", None, 3), ("removed", "a", None), ("removed", "b", None),
    ]  # fmt: skip
    assert rows[2]["before_record"] == {"x": 1}
    assert [row["before_n"] for row in found] == [1, 2]
    assert (new["new_marts"], gone["gone_marts"]) == (["bags"], ["bags"])
    assert missing.status_code == 404


def test_builds_that_are_not_there(client: FlaskClient, owner: Session, published: Publish) -> None:
    first, build = published(CHANGED)
    for path in (f"/builds/{first}/changes", f"/builds/{first}/changes/user_summary"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert f"There is no build before {first}; name one with ?from=" in answer.text
    for path in ("/builds/999/changes", f"/builds/{build}/changes?from=998"):
        answer = client.get(path)
        assert (answer.status_code, answer.get_json()["title"]) == (404, "No such build")
    assert client.get(f"/builds/{build}/changes?from=x").status_code == 400


def test_a_build_whose_tables_are_gone(
    client: FlaskClient, owner: Session, built: Laboratory
) -> None:
    [[first, tables]] = rows_of(owner, "select build, tables from builds.publications")
    register(owner, {name: {**table, "table": "gone"} for name, table in tables.items()})
    [[build]] = rows_of(owner, "select max(build) from builds.publications")
    for path in (
        f"/builds/{build}/changes",
        f"/builds/{build}/changes/user_summary",
        f"/builds/{first}/changes?from={build}",
    ):
        answer = client.get(path)
        assert answer.status_code == 410
        assert f"The tables of build {build} are no longer kept" in answer.text
        assert answer.get_json()["kept"] == [first]
    usage = {**tables["compound_usage"], "table": "gone"}
    register(owner, {**tables, "compound_usage": usage})
    answer = got(client, f"/builds/{build + 1}/changes?from={first}")
    assert answer["not_kept"] == ["compound_usage"]
    assert [mart["name"] for mart in answer["marts"]] == sorted({*MARTS} - {"compound_usage"})


def rows_of(owner: Session, query: str) -> list[tuple[Any, ...]]:
    """The result of a query."""
    with owner.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def test_what_takes_too_long_says_so(
    client_with: ClientWith, owner: Session, published: Publish
) -> None:
    first, build = published(CHANGED)
    [[table]] = rows_of(
        owner,
        "select tables -> 'user_summary' ->> 'table' from builds.publications "
        f"where build = {build}",
    )
    client = client_with(query_seconds=1)
    owner.autocommit = False
    owner.cursor().execute(f'lock table builds."{table}"')
    answer = client.get(f"/builds/{build}/changes")
    owner.rollback()
    owner.autocommit = True
    assert answer.status_code == 503
    assert "To compare user_summary takes longer than ELUTE_QUERY_SECONDS" in answer.text
    assert f"/builds/{build}/changes/user_summary?from={first}" in answer.text
