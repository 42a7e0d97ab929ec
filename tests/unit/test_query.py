"""Reading a query: what it comes to, and what is said of one that cannot be read."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.web.marts import media
from api.web.marts.catalogue import Mart, marts
from api.web.marts.query import Query, parse
from api.web.problems import Problem

TREE_TEXT = st.text(alphabet='abn_.,()"\\{}:*1%& éor', max_size=40)


@pytest.fixture(scope="module")
def mart() -> Mart:
    return marts()["user_summary"]


def texts(query: Query) -> list[str]:
    """The values that the query compares with."""
    return [value.text for value in query.where.values] if query.where else []


def test_nothing_asked_is_everything(mart: Mart) -> None:
    query = parse(mart, "")
    assert [output.name for output in query.outputs] == [column.name for column in mart.columns]
    assert (query.where, query.order, query.limit, query.offset) == (None, [], None, 0)
    assert not query.wants_count


@pytest.mark.parametrize(
    ("select", "names"),
    [
        ("user_id,name", ["user_id", "name"]),
        ("id:user_id, name ", ["id", "name"]),
        ('"user_id"', ["user_id"]),
        ("experiment_count,count()", ["experiment_count", "count"]),
        ("n:count(),experiment_count.sum(),a:experiment_count.avg()", ["n", "sum", "a"]),
    ],
)
def test_selected_columns_have_their_names(mart: Mart, select: str, names: list[str]) -> None:
    query = parse(mart, f"select={select}")
    assert [output.name for output in query.outputs] == names


@pytest.mark.parametrize(
    ("filters", "values"),
    [
        ("user_id=eq.1", ["1"]),
        ("name=eq.a.b,c", ["a.b,c"]),
        ('name=eq."a"', ['"a"']),  # Quotes mean something only within lists.
        ("name=like.A*", ["A%"]),
        ('name=in.(a,"b,c","d\\"e","f\\\\g")', ["a", "b,c", 'd"e', "f\\g"]),
        ("name=in.()", []),
        ("name=not.in.(a)", ["a"]),
        ("name=is.null", []),
        ("name=ilike(any).{a*,*b}", ["a%", "%b"]),
        ("user_id=gt.1&user_id=lt.9", ["1", "9"]),
        ('or=(user_id.eq.1,and(name.eq."a,b",user_id.not.in.(2,3)))', ["1", "a,b", "2", "3"]),
        ("not.or=(user_id.eq.1,not.and(user_id.gt.2,user_id.lt.3))", ["1", "2", "3"]),
        ("and=(name.eq.J. (Jo) Doe)", ["J. (Jo) Doe"]),
    ],
)
def test_filters_compare_with_their_values(mart: Mart, filters: str, values: list[str]) -> None:
    assert texts(parse(mart, filters)) == values


@pytest.mark.parametrize(
    ("query_string", "wanted_range", "offset", "limit"),
    [
        ("limit=5&offset=10", "", 10, 5),
        ("", "0-9", 0, 10),
        ("", "items=10-", 10, None),
        ("limit=5&offset=10", "12-99", 12, 3),
        ("limit=5", "10-19", 10, 0),
        ("", "bytes=0-99", 0, None),
    ],
)
def test_pages(
    mart: Mart, query_string: str, wanted_range: str, offset: int, limit: int | None
) -> None:
    query = parse(mart, query_string, wanted_range)
    assert (query.offset, query.limit) == (offset, limit)


@pytest.mark.parametrize(
    ("query_string", "said"),
    [
        ("nothing=eq.1", "There is no column 'nothing' in user_summary; it has user_id, name, "),
        ("select=user_id,nothing", "There is no column 'nothing'"),
        ("order=nothing", "There is no column 'nothing'"),
        ("user_id=1", "is not of the form user_id=operator.value; the operators are eq, neq, "),
        ("user_id=near.1", "the operators are eq, neq, "),
        ("user_id=not.not.eq.1", "is not of the form"),
        ("user_id=like.1*", "user_id is of type bigint; like is for text"),
        ("user_id=is.true", "user_id is of type bigint; is.true is for booleans"),
        ("user_id=is.1", "after is comes one of null, not_null, true, "),
        ("user_id=in.1,2", "is not a list such as (1,2,3)"),
        ("user_id=in.(1,2", "is not a list such as (1,2,3)"),
        ('name=in.("a)', "A quote is not closed"),
        ("or=(user_id.eq.1", "is not of the form or=(column.eq.1,column.gt.2)"),
        ("or=()", "is not of the form or="),
        ("or=(user_id)", "is not of the form column.operator.value"),
        ("and=(user_id.eq.1))", "The brackets do not match"),
        ("or=" + "(or" * 30 + "(user_id.eq.1)" + ")" * 30, "too deep"),
        ("name=eq.%00", "may not hold a NUL byte"),
        ("select=user_id::text", "there are no casts"),
        ("select=compounds(name)", "marts are not joined"),
        ("select=name.sum()", "name is of type text; sum() is of numbers"),
        ("select=name.median()", "There is no median() of name; there are count() and "),
        ("select=name,name", "names a column twice"),
        ('select="a%25b":name', "a name is up to 63 letters"),
        ("select=experiment_count,count()&order=name", "order what is selected, one of "),
        ("order=name.up", ".asc or .desc, .nullsfirst or .nullslast"),
        ("limit=-1", "limit must be a whole number from 0, and is '-1'"),
        ("offset=99999999999999999999", "offset must be a whole number from 0"),
        ("&".join(["user_id=gt.1"] * 201), "more than 200 parameters"),
    ],
)
def test_what_is_wrong_is_said(mart: Mart, query_string: str, said: str) -> None:
    with pytest.raises(Problem) as raised:
        parse(mart, query_string)
    assert said in raised.value.detail
    assert raised.value.status == 400
    # What PostgREST's clients show.
    assert {"code", "message", "details", "hint"} <= set(raised.value.as_json())


def test_a_range_that_ends_before_it_begins_is_refused(mart: Mart) -> None:
    with pytest.raises(Problem) as raised:
        parse(mart, "", "9-3")
    assert raised.value.status == 416


@given(name=st.sampled_from(["or", "and", "name", "user_id", "select", "order"]), text=TREE_TEXT)
def test_any_text_is_read_or_refused(name: str, text: str) -> None:
    with contextlib.suppress(Problem):
        parse(marts()["user_summary"], f"{name}={text}")


@pytest.mark.parametrize(
    ("header", "form"),
    [
        ("", media.JSON),
        ("*/*", media.JSON),
        ("text/html,application/xhtml+xml,*/*;q=0.8", media.JSON),
        ("text/csv", media.CSV),
        ("text/csv;q=0.5, application/x-ndjson", media.NDJSON),
        ("application/vnd.pgrst.object+json", media.OBJECT),
        ("image/png", None),
    ],
)
def test_the_form_that_the_client_likes_best(header: str, form: media.Form | None) -> None:
    assert media.accepted(header) is form


def test_the_marts_are_described() -> None:
    assert set(marts()) == {
        "user_summary",
        "user_top_compounds",
        "compound_usage",
        "experiment_stats",
        "data_issues",
        "input_summary",
    }
    for mart in marts().values():
        assert mart.description
        for column in mart.columns:
            assert column.description, (mart.name, column.name)
            assert "{{" not in column.description
    assert not marts()["user_summary"].by_name["user_id"].nullable
    assert marts()["user_summary"].by_name["avg_experiment_run_time"].data_type == "numeric"
