"""Whatever text comes in: an error that says so, or SQL that PostgreSQL reads, without the text."""

import contextlib
import re
from urllib.parse import quote

import psycopg2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pgrest_query import CASTS, OPERATORS, Query, QueryError, Statement, Table, parse
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

WORDS = set(
    re.findall(
        r"\w+",
        "select from where group by order limit offset as and or not in is null true false unknown "
        "distinct any all asc desc nulls first last like ilike lower count sum avg min max cast "
        "pg_catalog to_jsonb to_tsvector to_tsquery plainto_tsquery phraseto_tsquery "
        "websearch_to_tsquery regconfig int jsonb _all",
    )
) | set(CASTS.values())
SIGNS = set(
    re.findall(r"\S+", "( ) , . * : = < > <> <= >= ~ ~* @> <@ && << >> &< &> -|- -> ->> @@ ::")
)
TOKENS = re.compile(r'"(?:[^"]|"")*"|%s|\w+|[^\w\s(),."%]+|\S')
# What PostgreSQL says of types that do not go together: no operator, cast, boolean, array of it.
TYPES_DIFFER = {"42883", "42846", "42804", "42725", "42704"}
# Also text that is no value of its type, for a regular expression, a search or a configuration.
VALUE_IS_BAD = {"42601", "42704"}

COLUMNS = [
    "id", "name", "score", "born", "is_kept", "record", "raw", "tags", "numbers", "period",
    "words", "mood", '"50% \\"off\\""',
]  # fmt: skip
TEXTS = ["name", "record->>a", '"50% \\"off\\""', "raw->0->>%s"]
NUMBERS = ["id", "score", "record->>n::int", "name::numeric", "raw->>k::double precision"]
PATHS = ["", "", "->a", "->>a", "->a->>b", "->0->>k", "->>-1", '->"%s"', "->'; --", '->"\\"--"']
TYPES = ["", "", "::text", "::int", "::_int4", "::json", "::timestamp with time zone",
         "::regclass"]  # fmt: skip
ALIASES = ["", "x:", '"%s":', '"a\\"b":', "é" * 40 + ":", "'; --:"]
VALUES = [
    "1", "{1,2}", "[1,3)", '{"a":1}', "fat", "%s", "%(x)s", "';drop table x;--", "\\", '"a,b)"',
    "null", "", "$1", "{", "*a*", "(",
]  # fmt: skip
JUNK = st.text(st.sampled_from("abn_.,()\"\\{}:*1%& éor->'; $\n\0\ud800"), max_size=40)


def text_of(pattern: str, *parts: list[str] | st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """The pattern with one of each of these in its braces."""
    chosen = [st.sampled_from(part) if isinstance(part, list) else part for part in parts]
    return st.builds(pattern.format, *chosen)


def list_of(entries: st.SearchStrategy[str], most: int = 3) -> st.SearchStrategy[str]:
    return st.lists(entries, min_size=1, max_size=most).map(",".join)


FIELDS = text_of("{}{}", COLUMNS, PATHS)
FILTERS = st.one_of(
    text_of("{}.{}.{}", FIELDS, ["eq", "neq", "gt", "not.lte", "isdistinct"], VALUES),
    text_of("{}.{}.{{1,{}}}", FIELDS, ["eq(any)", "not.lt(all)"], VALUES),
    text_of("{}.{}.{}", TEXTS, ["like", "ilike", "match", "not.imatch", "like(all)"], VALUES),
    text_of("{}.{}{}.{}", TEXTS, ["fts", "plfts", "wfts"], ["", "(english)", "(x)"], VALUES),
    text_of("{}.{}.{}", ["words", "record", "raw->0"], ["fts", "not.phfts"], VALUES),
    text_of("{}.{}.{}", ["tags", "numbers", "period"], ["cs", "cd", "not.ov"], VALUES),
    text_of("period.{}.{}", ["sl", "sr", "nxr", "nxl", "adj"], VALUES),
    text_of("{}.in.({})", FIELDS, list_of(st.sampled_from(VALUES[:10]))),
    text_of("{}.is.{}", FIELDS, ["null", "not_null"]),
    text_of("is_kept.not.is.{}", ["true", "FALSE", "unknown"]),
)
TREES = st.recursive(
    FILTERS,
    lambda inner: text_of("{}({})", ["and", "or", "not.and", "not.or"], list_of(inner)),
    max_leaves=6,
)
ITEMS = st.one_of(
    st.just("*"),
    text_of("{}{}{}", ALIASES, FIELDS, TYPES),
    text_of("{}{}.{}{}", ALIASES, NUMBERS, ["sum()", "avg()", "max()", "count()"], ["", "::text"]),
    text_of("{}count()", ALIASES),
)
TERMS = text_of("{}{}", FIELDS, ["", ".desc", ".asc.nullslast", ".nullsfirst"])
PLAUSIBLE = st.one_of(
    text_of("select={}", list_of(ITEMS)),
    text_of("order={}", list_of(TERMS)),
    FILTERS.map(lambda text: text.replace(".", "=", 1)),
    text_of("and=({})", TREES),
    text_of("{}={}", ["limit", "offset"], st.integers(0, 2**63 - 1).map(str)),
)
JUNKY = st.one_of(
    text_of("{}={}", ["select", "order", "limit", "or", "name", "record"], JUNK),
    text_of("{}={}.{}", FIELDS, [*OPERATORS, "near"], JUNK),
    text_of("{}({}.{})", ["or=", "and=", "and=or"], FIELDS, JUNK),
    text_of("{}={}", JUNK, JUNK),
    st.text(),
)


def encoded(parameters: list[str]) -> str:
    """Percent-encoded in part: what is not is text, too."""
    return "&".join(text.replace("%", "%25").replace("&", "%26") for text in parameters)


QUERIES = st.one_of(
    st.lists(PLAUSIBLE, max_size=4),
    st.lists(PLAUSIBLE, max_size=4),
    st.lists(PLAUSIBLE | JUNKY, max_size=3),
).map(encoded)


def parsed(table: Table, text: str) -> Query | None:
    try:
        return parse(table, text)
    except QueryError as error:
        return refused(error)


def refused(error: QueryError) -> None:
    assert error.status in (400, 416)
    assert str(error)


def statements(query: Query) -> list[Statement]:
    return [query.rows(), query.rows(ordered=False), query.count()]


def as_prepared(statement: Statement) -> str:
    """The statement with PostgreSQL's own placeholders, whose values it never sees."""
    places = tuple(f"${number}" for number in range(1, len(statement.values) + 1))
    return statement.sql % places


@given(QUERIES)
@settings(max_examples=500)
def test_the_sql_is_made_of_our_words_known_names_numbers_and_placeholders(
    people: Table, text: str
) -> None:
    query = parsed(people, text)
    if query is None:
        return
    names = {people.schema, people.name, "_t", *people.by_name, *query.columns}
    quoted = {'"{}"'.format(name.replace('"', '""').replace("%", "%%")) for name in names}
    for statement in statements(query):
        tokens = TOKENS.findall(statement.sql)
        words = {token for token in tokens if not token.isdecimal()}
        assert words <= quoted | {"%s"} | WORDS | SIGNS, statement
        assert tokens.count("%s") == len(statement.values)


def execute(cursor: Cursor, statement: str, values: list[str] | None) -> str | None:
    """Run a statement; the code of the error, if there is one."""
    try:
        cursor.execute(statement, values)
    except psycopg2.Error as error:
        return error.pgcode
    return None


@given(QUERIES)
@settings(max_examples=500, deadline=None)
@example('select="%25s":name,"a\'b;":id::text')
@example("select=record->a,raw->n,count()&order=a.desc")
@example("select=record->>n::int.sum()::text,mood&order=mood")
@example("or=(name.fts(english).cat,words.plfts.cat,record.wfts(german).x)")
@example("select=")
def test_postgresql_reads_the_sql_without_its_values(
    people: Table, session: Connection, text: str
) -> None:
    query = parsed(people, text)
    if query is None:
        return
    cursor = session.cursor()
    for statement in statements(query):
        prepared = as_prepared(statement)
        code = execute(cursor, f"prepare _statement as {prepared}", None)
        assert code is None or code in TYPES_DIFFER, prepared
        if code is None:
            cursor.execute("deallocate _statement")


@given(QUERIES)
@settings(max_examples=500, deadline=None)
@example("name=match.(")
@example("name=fts.(")
@example("name=fts(xx).a")
@example("name=eq.%27;drop table x;--")
def test_postgresql_answers_or_says_which_value_is_bad(
    people: Table, session: Connection, text: str
) -> None:
    query = parsed(people, text)
    if query is None:
        return
    cursor = session.cursor()
    for statement in statements(query):
        code = execute(cursor, *statement)
        if code is None:
            names = [column.name for column in cursor.description or ()]
            assert names in (list(query.columns), ["count"])
        else:
            assert code[:2] == "22" or code in TYPES_DIFFER | VALUE_IS_BAD, statement


@given(range_header=st.text(), prefer=st.text())
def test_headers_are_read_or_ignored_or_refused(
    people: Table, range_header: str, prefer: str
) -> None:
    with contextlib.suppress(QueryError):
        query = parse(people, "", range_header=range_header, prefer=prefer)
        assert query.offset >= 0


@pytest.mark.parametrize("text", ["a'b", "%s", "%(x)s", "%%", "\\", '"', "$1", "; --", "\n"])
def test_text_is_compared_as_it_is(people: Table, session: Connection, text: str) -> None:
    cursor = session.cursor()
    query = parse(people, f"name=eq.{quote(text)}")
    assert query.rows().values == [text]
    cursor.execute(*query.rows())
    assert cursor.fetchall() == []
    quoted = '"{}"'.format(text.replace("\\", "\\\\").replace('"', '\\"'))
    query = parse(people, f"select=id,{quote(quoted)}:id&order=record->{quote(quoted)}")
    cursor.execute(*query.rows())
    assert [column.name for column in cursor.description or ()] == ["id", text]


@pytest.mark.parametrize(
    "sign", ["+", "%09", "a", '"', "%5C", "-", "->", "->a", "->1", ".", ",", ":", "(", "1"]
)
@pytest.mark.parametrize(
    "query",
    [
        "select={}",
        "select={}id",
        "order={}id",
        "{}id=eq.1",
        "or=({}id.eq.1)",
        "id=in.({}",
        "select=record{}",
        "order=record{}",
    ],
)
def test_a_long_row_of_one_sign_is_read_at_once(people: Table, sign: str, query: str) -> None:
    # What takes a step for each letter takes milliseconds, what takes its square many minutes.
    with contextlib.suppress(QueryError):
        parse(people, query.format(sign * 60_000)).rows()
