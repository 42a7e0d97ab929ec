"""What queries find in a table: as PostgREST answers them."""

import json
from typing import Any

import psycopg2
import pytest
from pgrest_query import Column, Query, Table, parse
from psycopg2.extensions import connection as Connection  # noqa: N812


def run(session: Connection, query: Query) -> list[dict[str, Any]]:
    """The rows as a client sees them: JSON objects."""
    statement, values = query.rows()
    with session.cursor() as cursor:
        cursor.execute(statement, values)
        text = cursor.mogrify(statement, values).decode()
        cursor.execute(f"select coalesce(json_agg(_row), '[]')::text from ({text}) as _row")
        [[answer]] = cursor.fetchall()
    rows: list[dict[str, Any]] = json.loads(answer)
    return rows


def ids(session: Connection, table: Table, query_string: str) -> list[int]:
    return [row["id"] for row in run(session, parse(table, query_string))]


def test_ilike_is_postgresqls_own(session: Connection) -> None:
    names = ["Ärger", "äz", "A", "100%", "100 %", "a_", "Straße", "STRASSE", "İd", "ΟΔΟΣ", "Σ"]
    patterns = ["ä%", "_Z", r"\A%", r"100\%", r"%\_", "%SS%", "%i%", "%ς", "ΟΔΟΣ"]
    with session.cursor() as cursor:
        cursor.execute(
            "select name, pattern from unnest(%s) as name, unnest(%s) as pattern "
            "where (name ilike pattern) <> (lower(name) like lower(pattern))",
            [names, patterns],
        )
        assert cursor.fetchall() == []


@pytest.mark.parametrize(
    ("query_string", "found"),
    [
        ("", [1, 2, 3, 4]),
        ("id=eq.2", [2]),
        ("id=not.eq.2", [1, 3, 4]),
        ("id=neq.2", [1, 3, 4]),
        ("id=gt.1&id=lte.3", [2, 3]),
        ("id=in.(1, 3,9)", [1, 3]),
        ("id=not.in.(1,3)", [2, 4]),
        ("id=in.()", []),
        ("id=not.in.()", [1, 2, 3, 4]),
        ("name=in.(Ada,\"Cy (jr)\")", [1, 3]),
        ("id=eq(any).{1,3}", [1, 3]),
        ("id=gt(all).{1,2}", [3, 4]),
        ("id=not.lt(any).{1,3}", [3, 4]),
        ("name=like.*a", [1]),
        ("name=like.%25d%25", [1]),
        ("name=ilike.a*", [1]),
        ("name=like(any).{A*,*o}", [1, 2]),
        ("name=ilike(all).{*A*,*d*}", [1]),
        ("name=match.^.o$", [2]),
        ("name=imatch.^ADA$", [1]),
        ("name=not.match.[()]", [1, 2]),
        ("name=match(any).{^A,jr}", [1, 3]),
        ("name=is.null", [4]),
        ("name=is.NOT_NULL", [1, 2, 3]),
        ("name=not.is.null", [1, 2, 3]),
        ("is_kept=is.true", [1, 4]),
        ("is_kept=is.unknown", [3]),
        ("is_kept=not.is.false", [1, 3, 4]),
        ("score=isdistinct.1.5", [2, 3, 4]),
        ("score=not.isdistinct.1.5", [1]),
        ("born=gte.1999-01-02", [2, 4]),
        # Searches.
        ("words=fts.rat", [2]),
        ("words=fts.fat%26!rat", [1]),
        ("words=plfts.fat rat", [2]),
        ("words=phfts(simple).fat rat", []),
        ("words=wfts(simple).cat or impossible", [1, 3]),
        ("name=fts(english).ada", [1]),
        ("name=not.plfts(simple).ada", [2, 3]),
        ("record=fts.x", [1]),
        ("raw=fts(simple).n", [3]),
        # Arrays.
        ("tags=cs.{blue}", [1, 2]),
        ("tags=cd.{blue}", [2, 3]),
        ("tags=ov.{red,green}", [1]),
        ("numbers=eq.{1,2}", [2]),
        ("numbers=isdistinct.{1,2}", [1, 3, 4]),
        ("numbers->0=eq.1", [1, 2, 3]),
        ("numbers->>-1=eq.3", [1]),
        # Ranges.
        ("period=cs.[1,2]", [1]),
        ("period=cd.[1,6]", [1]),
        ("period=ov.[0,4]", [1, 2]),
        ("period=sl.[9,10]", [1, 2]),
        ("period=sr.[3,4]", [3]),
        ("period=nxr.[4,7]", [1, 2]),
        ("period=nxl.[4,7]", [2, 3]),
        ("period=adj.[4,10]", [1]),
        # JSON.
        ("record->>n=eq.1", [1]),
        ("record->n=eq.2", [2]),
        ("record->n=gt.1", [2]),
        ("record->a->>b=like.x*", [1]),
        ("record->a=eq.{\"b\": \"y\"}", [2]),
        ("record=cs.{\"n\":1}", [1]),
        ("record->0->>k=eq.v", [3]),
        ("record->-1->>0=eq.7", [3]),
        ("record->>nothing=is.null", [1, 2, 3, 4]),
        ("raw->>0=eq.1", [1]),
        ("raw=eq.[3]", [2]),
        ("mood=eq.calm", [1, 3]),
        ("mood=gt.calm", [2]),
        # A domain over text, which the library does not know, can do what text can.
        ("code=ilike.a*", [1]),
        ("code=like(any).{A*,*2}", [1, 2]),
        ("code=match.[12]", [1, 2]),
        ("code=fts.b", [2]),
        ("\"50%25 \\\"off\\\"\"=eq.yes", [1]),
        # Together.
        ("or=(id.eq.1,id.eq.2)", [1, 2]),
        ("not.or=(id.eq.1,id.eq.2)", [3, 4]),
        ("and=(id.gt.1,or(name.is.null,not.and(id.lt.3,score.eq.2.5)))", [3, 4]),
        ("and=( and ( id.in.( 1, 2, 3 ) , id.eq.3 ) , or ( id.eq.2 , id.eq.3 ) )", [3]),
        ("or=(tags.cs.{red,blue},period.ov.\"[8,9]\",record->a->>b.eq.y)", [1, 2, 3]),
        ("or=(name.eq.\"Cy (jr)\",name.like(any).{A*,Z*})", [1, 3]),
        ("id=gt.1&or=(id.eq.1,id.eq.2)", [2]),
        # Order and pages.
        ("order=id.desc", [4, 3, 2, 1]),
        ("order=score", [4, 1, 2, 3]),
        ("order=score.desc", [3, 2, 1, 4]),
        ("order=score.nullsfirst", [3, 4, 1, 2]),
        ("order=score.desc.nullslast", [2, 1, 4, 3]),
        ("order= mood.desc , id.desc", [4, 2, 3, 1]),
        ("order=mood", [1, 3, 2, 4]),
        ("order=record->n.desc.nullslast&limit=2", [2, 1]),
        ("order=raw->>n.nullsfirst&offset=3", [3]),
        ("limit=2&offset=1", [2, 3]),
        ("limit=0", []),
    ],
)  # fmt: skip
def test_filters_find_what_they_say(
    people: Table, session: Connection, query_string: str, found: list[int]
) -> None:
    assert ids(session, people, query_string) == found


@pytest.mark.parametrize(
    ("query_string", "rows"),
    [
        ("select=", [{}]),
        ("select=no:id,name", [{"no": 1, "name": "Ada"}]),
        ("select=id::text,score::int", [{"id": "1", "score": 2}]),
        ("select=born::timestamp without time zone", [{"born": "1815-12-10T00:00:00"}]),
        ("select=numbers::_text", [{"numbers": ["1", "2", "3"]}]),
        ("select=record->a,record->>n", [{"a": {"b": "x"}, "n": "1"}]),
        ("select=x:record->n,n:record->>n::int", [{"x": 1, "n": 1}]),
        ("select=record->a->>b", [{"b": "x"}]),
        ("select=raw,tags->1,period->>x", [{"raw": [1, 2], "tags": "blue", "x": None}]),
        ("select=record->>a::json", [{"a": {"b": "x"}}]),
        ('select="50%25 \\"off\\""', [{'50% "off"': "yes"}]),
        ("select=" + "x" * 70 + ":id", [{"x" * 63: 1}]),
        ("select=*,id::text", None),
        # Not the output of that name.
        ("select=id:name,name:id&order=id", [{"id": "Ada", "name": 1}]),
    ],
)
def test_what_is_selected(
    people: Table, session: Connection, query_string: str, rows: list[dict[str, Any]] | None
) -> None:
    found = run(session, parse(people, f"{query_string}&limit=1"))
    if rows is None:
        assert list(found[0]) == list(people.by_name)
        assert found[0]["id"] == "1"
    else:
        assert found == rows


@pytest.mark.parametrize(
    ("query_string", "rows"),
    [
        ("select=count()", [{"count": 4}]),
        ("select=count", [{"count": 4}]),
        ("select=n:count()::text&id=gt.1", [{"n": "3"}]),
        ("select=name.count(),id.max(),id.min()", [{"count": 3, "max": 4, "min": 1}]),
        ("select=id.avg()::int,s:score.sum()", [{"avg": 3, "s": 4.0}]),
        ("select=record->>n::int.sum()", [{"sum": 3}]),
        ("select=least:born.min()", [{"least": "1815-12-10"}]),
        (
            "select=mood,count()",
            [{"mood": "calm", "count": 2}, {"mood": "wild", "count": 1},
             {"mood": None, "count": 1}],
        ),
        (
            "select=n:count(),m:mood&order=n.desc,mood.desc",
            [{"n": 2, "m": "calm"}, {"n": 1, "m": None}, {"n": 1, "m": "wild"}],
        ),
        (
            "select=k:record->0->>k,count()&order=k.nullsfirst",
            [{"k": None, "count": 3}, {"k": "v", "count": 1}],
        ),
        (
            "select=mood::text,count()&order=mood.desc&limit=1&offset=1",
            [{"mood": "wild", "count": 1}],
        ),
    ],
)  # fmt: skip
def test_rows_are_summed_up(
    people: Table, session: Connection, query_string: str, rows: list[dict[str, Any]]
) -> None:
    assert run(session, parse(people, query_string)) == rows


def test_rows_are_counted_without_limit_and_offset(people: Table, session: Connection) -> None:
    cursor = session.cursor()
    for query_string, count in (
        ("limit=1&offset=9", 4),
        ("id=gt.1&select=record->>a,id&order=name", 3),
        ("select=mood,count()", 3),
        ("select=record->>n::date&id=eq.1", 1),  # Not computed.
    ):
        cursor.execute(*parse(people, query_string).count())
        assert cursor.fetchall() == [(count,)]


def test_pages_fit_together_without_a_key(people: Table, session: Connection) -> None:
    table = Table(people.schema, people.name, people.columns)
    pages = [ids(session, table, f"order=mood&limit=1&offset={n}") for n in range(4)]
    assert pages == [[1], [3], [2], [4]]


def test_at_most_some(people: Table, session: Connection) -> None:
    query = parse(people, "limit=3")
    assert [len(run(session, query.limited(most))) for most in (2, 9)] == [2, 3]


@pytest.mark.parametrize(
    ("query_string", "said", "code"),
    [
        ("id=eq.abc", "'abc' is no value for id, of type bigint.", "22P02"),
        ("id=eq.", "'' is no value for id, of type bigint.", "22P02"),
        ("id=in.(1,99999999999999999999)", "'99999999999999999999' is no value for id", "22003"),
        ("name=eq.x&id=eq(any).{1,x}", "'x' is no value for id", "22P02"),
        ("score=gt(all).{1,much}", "'much' is no value for score, of type numeric(10,4)", "22P02"),
        ("id=eq(any).1", "'1' is no value for id, of type bigint.", "22P02"),
        ("born=gt.2021-13-40", "'2021-13-40' is no value for born, of type date.", "22008"),
        ("or=(name.eq.x,born.gt.much)", "'much' is no value for born", "22007"),
        ("record=cs.{", "refuses the query: invalid input syntax for type json", "22P02"),
        ("name=match.(", "refuses the query: invalid regular expression", "2201B"),
        ("name=fts.(", "refuses the query: no operand in tsquery", "42601"),
        ("name=fts(klingon).a", 'configuration "klingon" does not exist', "42704"),
        ("select=record->>a::int", "refuses the query: invalid input syntax for type in", "22P02"),
        ("mood=like.c*", ".mood; like is for text.", "42883"),
        ("code=ilike.a*&mood=ilike.c*", ".mood; ilike is for text.", "42883"),
        ("mood=not.ilike(any).{c*}", ".mood; ilike is for text.", "42883"),
        ("mood=imatch.c", ".mood; imatch is for text.", "42883"),
        ("mood=fts.calm", ".mood; fts is for text and json and search.", "42883"),
        ("mood=ov.{calm}", ".mood; ov is for array and range.", "42883"),
        ("mood=eq.sad", "'sad' is no value for mood", "22P02"),
    ],
)
def test_what_postgresql_refuses(
    people: Table, session: Connection, query_string: str, said: str, code: str
) -> None:
    query = parse(people, query_string)
    with pytest.raises(psycopg2.Error) as raised:
        run(session, query)
    error = query.refused(raised.value.diag.message_primary or "", raised.value.pgcode or "")
    assert said in str(error)
    assert (error.code, error.status) == (code, 400)


def test_a_query_in_the_place_of_a_table(session: Connection, people: Table) -> None:
    query = f"select id % 2 as rest, name from {people.schema}.people where name like 'A%'"
    columns = (Column("rest", "bigint"), Column("name", "text"))
    source = Table("", "", columns, key=("name",), query=query.replace("%", "%%"))
    assert run(session, parse(source, "select=name&rest=eq.1")) == [{"name": "Ada"}]
    assert run(session, parse(source, "select=count()")) == [{"count": 1}]
