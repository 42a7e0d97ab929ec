"""Python's client for PostgREST, as it is."""

from collections.abc import Iterator

import httpx
import pytest
from flask import Flask
from postgrest import CountMethod, SyncPostgrestClient
from postgrest.exceptions import APIError

from tests.integration.conftest import Laboratory

EXACT = CountMethod("exact")


@pytest.fixture(scope="module")
def postgrest(app: Flask, built: Laboratory) -> Iterator[SyncPostgrestClient]:
    with httpx.Client(
        transport=httpx.WSGITransport(app=app), base_url="http://localhost/marts"
    ) as http:
        yield SyncPostgrestClient("http://localhost/marts", http_client=http)


def test_select_filter_and_order(postgrest: SyncPostgrestClient) -> None:
    found = (
        postgrest.from_("user_summary")
        .select("user_id", "name")
        .gt("user_id", 2)
        .lte("user_id", 9)
        .neq("user_id", 5)
        .not_.is_("compound_id", None)
        .ilike("email", "%@lab.example")
        .order("name", desc=True, nullsfirst=False)
        .execute()
    )
    names = [row["name"] for row in found.data]
    assert names == sorted(names, reverse=True)
    assert {row["user_id"] for row in found.data} <= {3, 4, 6, 7, 8, 9}
    some = postgrest.from_("user_summary").select("*").in_("user_id", [1, 2]).execute()
    assert [row["user_id"] for row in some.data] == [1, 2]
    name = some.data[0]["name"]
    quoted = postgrest.from_("user_summary").select("*").in_("name", [name, 'a,"b"']).execute()
    assert [row["name"] for row in quoted.data] == [name]
    either = (
        postgrest.from_("user_summary")
        .select("user_id")
        .or_("user_id.eq.1,and(user_id.gt.12,experiment_count.gte.0)")
        .like_any_of("name", "A%,B%,*")
        .execute()
    )
    assert [row["user_id"] for row in either.data] == [1, 13, 14]


def test_page_and_count(postgrest: SyncPostgrestClient) -> None:
    page = (
        postgrest.from_("user_summary")
        .select("*", count=EXACT)
        .order("user_id")
        .range(5, 9)
        .execute()
    )
    assert [row["user_id"] for row in page.data] == [6, 7, 8, 9, 10]
    assert page.count == 14
    head = postgrest.from_("user_summary").select("*", count=EXACT, head=True).execute()
    assert (head.data, head.count) == ([], 14)
    assert len(postgrest.from_("user_summary").select("*").limit(3).execute().data) == 3


def test_one(postgrest: SyncPostgrestClient) -> None:
    users = postgrest.from_("user_summary")
    one = users.select("name").eq("user_id", 3).single().execute()
    assert one.data == {"name": "Chen Wei"}
    assert users.select("*").eq("user_id", 99).maybe_single().execute() is None
    with pytest.raises(APIError) as raised:
        users.select("*").eq("user_id", 99).single().execute()
    assert raised.value.code == "PGRST116"


def test_table_as_csv(postgrest: SyncPostgrestClient) -> None:
    found = postgrest.from_("user_summary").select("user_id,name").limit(1).csv().execute()
    assert found.data == "user_id,name\n1,Amara Okafor\n"


def test_what_is_wrong_reaches_the_caller(postgrest: SyncPostgrestClient) -> None:
    with pytest.raises(APIError) as raised:
        postgrest.from_("user_summary").select("nothing").execute()
    assert raised.value.code == "42703"
    assert raised.value.message is not None
    assert "There is no column 'nothing' in user_summary; it has user_id" in raised.value.message
