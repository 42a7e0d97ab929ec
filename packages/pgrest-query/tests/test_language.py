"""Reading a query: what it comes to, and what is said of one that cannot be read."""

from urllib.parse import quote

import pytest
from pgrest_query import Column, QueryError, Table, parse, quoted

TABLE = Table(
    "builds",
    "people_7",
    (
        Column("id", "bigint"),
        Column("name", "text"),
        Column("score", "numeric"),
        Column("is_kept", "boolean"),
        Column("record", "jsonb"),
        Column("tags", "text[]"),
    ),
    key=("id",),
    label="people",
)


def test_nothing_asked_is_everything() -> None:
    query = parse(TABLE, "")
    assert query.columns == ("id", "name", "score", "is_kept", "record", "tags")
    assert (query.where, query.order, query.limit, query.offset) == (None, (), None, 0)
    assert not query.preferences.wants_count
    assert query.rows().values == []


@pytest.mark.parametrize(
    ("select", "names"),
    [
        ("id,name", ["id", "name"]),
        (" id , no:name ", ["id", "no"]),
        ('"id"', ["id"]),
        ("", []),
        ("score,count()", ["score", "count"]),
        ("n:count(),score.sum(),a:score.avg()", ["n", "sum", "a"]),
        ("count", ["count"]),
        ("n:count::text", ["n"]),
        ("id::text,x:score::double precision", ["id", "x"]),
        ("record->a,record->>b,record->0,record->c->0", ["a", "b", "record", "c"]),
        ("record->23-xy-45", ["23-xy-45"]),
        ("record->>!@$%25^*_d", ["!@$%^*_d"]),
        ('record->"a.b"', ["a.b"]),
        ("s:record->>n::int.sum()::text", ["s"]),
        ('"50%25 [x]":name', ["50% [x]"]),
        ("first name-x:name", ["first name-x"]),
        # JSON has a name once: what is said expressly is in the place of what the star stands for.
        ("*,id", ["id", "name", "score", "is_kept", "record", "tags"]),
        ("*,id::text", ["id", "name", "score", "is_kept", "record", "tags"]),
        ("name,*", ["name", "id", "score", "is_kept", "record", "tags"]),
        ("id,id", ["id"]),
        # PostgreSQL's limit is in bytes.
        ("a" * 70 + ":id", ["a" * 63]),
        ("é" * 40 + ":id", ["é" * 31]),
    ],
)
def test_selected_columns_have_their_names(select: str, names: list[str]) -> None:
    assert list(parse(TABLE, f"select={select}").columns) == names


@pytest.mark.parametrize("name", ["a.b", "größe, (in) m", 'a"b\\c', "a->b", " x ", "a-b"])
def test_a_column_of_any_name_is_named(name: str) -> None:
    table = Table("builds", "odd", (Column(name, "bigint"),))
    written = quote(quoted(name))
    query = parse(table, f"select={written}&order={written}.desc&and=({written}.eq.1)")
    assert (query.columns, query.rows().values) == ((name,), ["1"])
    assert parse(table, f"{written}=eq.2").rows().values == ["2"]


@pytest.mark.parametrize(
    ("filters", "values"),
    [
        ("id=eq.1", ["1"]),
        ("name=eq.a.b,c", ["a.b,c"]),
        ('name=eq."a"', ['"a"']),  # Quotes mean something only within lists.
        ("name=like.A*", ["A%"]),
        ("name=match.^a*", ["^a*"]),
        ('name=in.(a,"b,c","d\\"e","f\\\\g")', ["a", "b,c", 'd"e', "f\\g"]),
        ("name=in.( a, b ,(c)", ["a", " b ", "(c"]),
        ("name=in.()", []),
        ('name=in.("")', [""]),
        ("name=not.in.(a)", ["a"]),
        ("name=is.null", []),
        ("name=is.NoT_NuLl", []),
        ("name=ilike(any).{a*,*b}", ["{a%,%b}"]),
        ("name=fts(english).a%26b", ["english", "a&b", "english"]),
        ("tags=cs.{a,b}", ["{a,b}"]),
        ("record->a->0->>b=eq.1", ["a", "0", "b", "1"]),
        ("id=gt.1&id=lt.9", ["1", "9"]),
        ('or=(id.eq.1,and(name.eq."a,b",id.not.in.(2,3)))', ["1", "a,b", "2", "3"]),
        ("not.or=(id.eq.1,not.and(id.gt.2,id.lt.3))", ["1", "2", "3"]),
        ("and=( and ( id.in.( 1, 2 ) , id.eq.3 ) , or ( id.eq.2 ) )", ["1", " 2 ", "3 ", "2 "]),
        ("or=(tags.cs.{a,b},id.eq.1)", ["{a,b}", "1"]),
        ("or=(name.eq.a(b,id.eq.1)", ["a(b", "1"]),
        ("or=(record->a->>b.eq.x, record->>c.like.y*)", ["a", "b", "x", "c", "y%"]),
    ],
)
def test_filters_compare_with_their_values(filters: str, values: list[str]) -> None:
    found = sorted(parse(TABLE, filters).rows(ordered=False).values)
    assert found == sorted(values)


@pytest.mark.parametrize(
    ("query_string", "range_header", "offset", "limit"),
    [
        ("limit=5&offset=10", "", 10, 5),
        ("", "0-9", 0, 10),
        ("", "items=10-", 10, None),
        ("limit=5&offset=10", "12-99", 12, 3),
        ("limit=3", "0-1", 0, 2),
        ("limit=0", "10-19", 0, 0),
        ("limit=0&offset=5", "", 0, 0),
        ("offset=-4", "", 0, None),
        ("limit=&offset=", "", 0, None),
        ("limit=9223372036854775807&offset=9", "", 9, None),
        ("", "bytes=0-99", 0, None),
        ("", f"0-{'9' * 5000}", 0, None),
    ],
)
def test_pages(query_string: str, range_header: str, offset: int, limit: int | None) -> None:
    query = parse(TABLE, query_string, range_header=range_header)
    assert (query.offset, query.limit) == (offset, limit)


@pytest.mark.parametrize(
    ("query_string", "range_header", "details"),
    [
        ("limit=-1", "", "Limit should be greater than or equal to zero."),
        ("", "9-3", "The lower boundary must be lower than or equal to the upper boundary in"),
        ("limit=5", "10-19", "None of the rows 0 to 4 that limit and offset name"),
    ],
)
def test_rows_that_cannot_be(query_string: str, range_header: str, details: str) -> None:
    with pytest.raises(QueryError, match="Requested range not satisfiable") as raised:
        parse(TABLE, query_string, range_header=range_header)
    assert (raised.value.status, raised.value.code) == (416, "PGRST103")
    assert raised.value.details is not None
    assert details in raised.value.details


@pytest.mark.parametrize(
    ("query_string", "row_count", "total", "status", "content_range"),
    [
        ("", 14, None, 200, "0-13/*"),
        ("", 14, 14, 200, "0-13/14"),
        ("offset=5&limit=5", 5, 14, 206, "5-9/14"),
        ("limit=0", 0, 14, 206, "*/14"),
        ("", 0, 0, 200, "*/0"),
        ("offset=14", 0, 14, 206, "*/14"),
    ],
)
def test_content_range(
    query_string: str, row_count: int, total: int | None, status: int, content_range: str
) -> None:
    query = parse(TABLE, query_string)
    assert query.content_range(row_count, total) == (status, content_range)


def test_a_page_after_the_last_row() -> None:
    with pytest.raises(QueryError) as raised:
        parse(TABLE, "offset=15").content_range(0, 14)
    assert raised.value.status == 416
    assert raised.value.headers == {"Content-Range": "*/14"}
    assert raised.value.details == "An offset of 15 was requested, but there are only 14 rows."


@pytest.mark.parametrize(
    ("prefer", "wants_count", "applied"),
    [
        ("", False, ""),
        ("count=exact", True, "count=exact"),
        ("count=planned", True, "count=exact"),
        ("count=none, timezone=UTC", False, ""),
        ("handling=lenient, anything", False, "handling=lenient"),
        (
            "return=minimal , handling=strict,count=exact",
            True,
            "count=exact, handling=strict",
        ),
    ],
)
def test_preferences(prefer: str, wants_count: bool, applied: str) -> None:
    found = parse(TABLE, "", prefer=prefer).preferences
    assert (found.wants_count, found.applied) == (wants_count, applied)


@pytest.mark.parametrize("words", ["anything", "something, else", "timezone=UTC", "count=none"])
def test_a_preference_that_is_not_known_is_refused_if_that_is_preferred(words: str) -> None:
    with pytest.raises(QueryError, match="Invalid preferences given with handling=str") as raised:
        parse(TABLE, "", prefer=f"handling=strict, {words}")
    assert (raised.value.status, raised.value.code) == (400, "PGRST122")
    assert raised.value.details == f"Invalid preferences: {words}"


@pytest.mark.parametrize(
    ("query_string", "said"),
    [
        ("nothing=eq.1", "There is no column 'nothing' in people; it has id, name, score, "),
        ("select=id,nothing", "There is no column 'nothing'"),
        ("order=nothing", "There is no column 'nothing'"),
        ("id=1", "id=1 is not of the form id=operator.value; the operators are eq, neq, gt"),
        ("id=near.1", "the operators are eq, neq, "),
        ("id=not.not.eq.1", "is not of the form"),
        ("id=eq().1", "is not of the form"),
        ("id=in(any).(1)", "is not of the form"),
        ("id=neq(any).{1}", "neq(any) is no operator; (any) and (all) go with eq, gt, "),
        ("id=eq(some).{1}", "eq(some) is no operator"),
        ("id=like.1*", "id is of type bigint; like is for text"),
        ("id=match.1", "id is of type bigint; match is for text"),
        ("record=like.1*", "record is of type jsonb; like is for text"),
        ("id=fts.1", "id is of type bigint; fts is for text and json and search"),
        ("name=cs.a", "name is of type text; cs is for json and array and range"),
        ("record=ov.[1]", "record is of type jsonb; ov is for array and range"),
        ("id=is.true", "id is of type bigint; is.true is for boolean"),
        ("id=is.1", "after is comes one of null, not_null, true, "),
        ("id=is.null1", "after is comes one of"),
        ("id=is.null,", "nothing more is expected at ','"),
        ("id=in.1,2", "a list such as (1,2,3) is expected at '1,2'"),
        ("id=in.(1,2", "the bracket that closes a list such as (1,2,3), is expected at its end"),
        ("id=in.(1,2)x", "nothing more is expected at 'x'"),
        ("or=(id.eq.1", "or(id.eq.1: a comma, or the bracket that closes the list, is expected"),
        ("or=", "a list such as (column.eq.1,column.gt.2) is expected"),
        ("or=id.eq.1", "or=id.eq.1: a list such as (column.eq.1,column.gt.2) is expected at 'id"),
        ("or=()", "a column is expected at ')'"),
        ("or=(id)", "column.operator.value is expected at ')'"),
        ("or=(xor(id.eq.1),id.eq.2)", "There is no column 'xor'"),
        ("and=(id.eq.1))", "nothing more is expected at ')'"),
        ("or=" + "(or" * 30 + "(id.eq.1)" + ")" * 30, "nested 20 levels deep"),
        ("or=" + "[" * 50_000, "a list such as"),
        ("and=(name.eq.J. (Jo) Doe)", "nothing more is expected at 'Doe)'"),
        ("name=eq.%00", "may not hold a NUL byte"),
        ("name=eq.\udc80", "not in UTF-8"),
        ("name.x=eq.1", "'name.x' is neither a column nor a path"),
        ("id::text=eq.1", "casts (::) are for select"),
        ("select=id::regclass", "there is no cast to 'regclass'; there are bool, boolean, "),
        ("select=compounds(name)", "There is no column 'compounds'"),
        ("select=name(id)", "tables are not joined, ask for each by itself"),
        ("select=...name(id)", "a column is expected at '...name(id)'"),
        ("select=name.sum()", "name is of type text, which sum() is not for"),
        ("select=record->>n.sum()", "a cast may help, as in n::numeric.sum()"),
        ("select=is_kept.max()", "is_kept is of type boolean, which max() is not for"),
        ("select=name.median()", "There is no median() of name; of functions there are count(), "),
        ("select=count().sum()", "There is no sum() of count"),
        ("select=name,name:id", "gives two things the name name: give one another name"),
        ("select=score.sum(),id.sum()", "gives two things the name sum"),
        ('select="":name', "A name cannot be empty"),
        ("select=name:", "a column is expected at its end"),
        ("select=id,", "a column is expected at its end"),
        ("select=id name", "There is no column 'id name'"),
        ("select=record->>--34", "a key or a number after the arrow is expected at '->>--34'"),
        ("select=record->>-78xy", "a key or a number after the arrow"),
        ("select=record->(a", "a key or a number after the arrow"),
        ("select=record->>c->1", "nothing after ->>, whose result is text, is expected"),
        ("select=record->99999999999", "a smaller number in the path is expected"),
        ("select=score,count()&order=name", "order what is selected, one of score, count"),
        ("order=name.up", ".asc or .desc, then .nullsfirst or .nullslast, or a comma is expected"),
        ("order=name.desc.nullslasttt", "is expected at '.desc.nullslasttt'"),
        ("order=name,", "a column is expected at its end"),
        ("limit=x", "limit must be a whole number from 0, and is 'x'"),
        ("offset=99999999999999999999", "offset must be a whole number from 0"),
        ("&".join(["id=gt.1"] * 201), "more than 200 parameters"),
    ],
)
def test_what_is_wrong_is_said(query_string: str, said: str) -> None:
    with pytest.raises(QueryError) as raised:
        parse(TABLE, query_string)
    assert said in str(raised.value)
    assert len(str(raised.value)) < 1000
    assert raised.value.status == 400
    assert raised.value.as_json() == {
        "code": raised.value.code,
        "message": str(raised.value),
        "details": None,
        "hint": raised.value.hint,
    }
