"""Tables as workbooks (.xlsx), read back as a spreadsheet reads them."""

import io
import json
from contextlib import closing
from datetime import date
from typing import Any

import pytest
from flask.testing import FlaskClient
from python_calamine import CalamineWorkbook

from api.marts import media, workbook
from elute.database.sessions import Session, connect
from tests.integration.conftest import Laboratory
from tests.integration.web.publishing import register

MARTS = {
    name: {"schema": "builds", "table": name, "view_schema": "marts", "description": "", "meta": {}}
    for name in ("odd_values", "many_rows")
}
TEXTS = [
    "=1+1",
    "@SUM(A1)",
    "<&> \"'",
    "two\nlines\r\nand\ttab",
    " blanks ",
    "",
    "_x0041_",
    "Ω😀",
    "%s {} \\",
    "007",
    "\\.",
]
NUMBERS = ["0", "-1.5", "999999999999999", "0.000000000000123", "1234567890123456", "0.1", "NaN"]
DATES = ["2026-11-20", "1900-03-01", "1900-02-28", "1850-01-01", "infinity", "10000-01-01"]


@pytest.fixture(scope="module")
def odd(built: Laboratory) -> Laboratory:
    with closing(connect(built.environment)) as owner, owner.cursor() as cursor:
        cursor.execute(
            """
            create table builds.odd_values as
            select * from rows from (
                unnest(%s::text[]), unnest(%s::numeric[]), unnest(%s::date[]),
                unnest('{1,9007199254740993}'::bigint[]), unnest('{t,f}'::bool[]),
                unnest('{1e300,NaN,0.1}'::float8[]), unnest(array['{"a": [1, null]}'::jsonb])
            ) with ordinality as odd (words, number, day, id, is_so, inexact, record, key);
            alter table builds.odd_values add primary key (key);
            create table builds.many_rows as select generate_series(1, 1048576) as key;
            alter table builds.many_rows add primary key (key);
            """,
            [TEXTS, NUMBERS, DATES],
        )
        register(owner, MARTS)
    return built


def rows_of(data: bytes) -> list[list[Any]]:
    """All cells of the only sheet."""
    with CalamineWorkbook.from_filelike(io.BytesIO(data)) as book:
        assert book.sheet_names == ["rows"]
        return book.get_sheet_by_index(0).to_python()


def column(client: FlaskClient, name: str, more: str = "") -> list[Any]:
    """The values of a column of the odd ones."""
    query = f"select={name}&{name}=not.is.null&order=key{more}"
    answer = client.get(f"/marts/odd_values?{query}", headers={"Accept": media.XLSX})
    assert answer.status_code == 200, answer.text
    [header], *rows = rows_of(answer.data)
    assert header == name
    return [value for [value] in rows]


def test_a_text_is_that_text_and_no_formula(odd: Laboratory, client: FlaskClient) -> None:
    found = column(client, "words")
    wanted = [text or "" for text in TEXTS]
    assert found == wanted


def test_a_number_is_one_unless_it_would_be_rounded(odd: Laboratory, client: FlaskClient) -> None:
    assert column(client, "number") == [
        *(0, -1.5, 999999999999999, 0.000000000000123, "1234567890123456", 0.1, "NaN")
    ]
    assert column(client, "id") == [1, "9007199254740993"]
    assert column(client, "inexact") == [1e300, "NaN", 0.1]


def test_a_date_is_one_where_a_sheet_has_it(odd: Laboratory, client: FlaskClient) -> None:
    assert column(client, "day") == [
        *(date(2026, 11, 20), date(1900, 3, 1)),
        *("1900-02-28", "1850-01-01", "infinity", "10000-01-01"),
    ]


def test_other_values(odd: Laboratory, client: FlaskClient) -> None:
    assert column(client, "is_so") == [True, False]
    assert list(map(json.loads, column(client, "record"))) == [{"a": [1, None]}]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("x" * 32767, "x" * 32767),
        ("x" * 32768, "x" * 32766 + "…"),
        ("😀" * 16384, "😀" * 16382 + "…"),
        ("a\x01b\x02c\x1f\ufffe", "a�b�c��"),
    ],
)
def test_what_no_cell_holds_is_seen(
    odd: Laboratory, client: FlaskClient, owner: Session, text: str, cell: str
) -> None:
    with owner.cursor() as cursor:
        cursor.execute("update builds.odd_values set words = %s where key = 1", [text])
        try:
            assert column(client, "words", "&limit=1") == [cell]
        finally:
            cursor.execute("update builds.odd_values set words = %s where key = 1", [TEXTS[0]])


def test_a_sheet_has_no_room_for_more_rows(odd: Laboratory, client: FlaskClient) -> None:
    refused = client.get("/marts/many_rows", headers={"Accept": media.XLSX})
    assert refused.status_code == 406
    assert "these are 1,048,576" in refused.json["detail"]  # type: ignore[index]
    for query in ("offset=1", "limit=1048575"):
        head = client.head(f"/download/many_rows.xlsx?{query}")
        assert head.status_code == 200


def test_a_large_one_has_every_row(odd: Laboratory, client: FlaskClient) -> None:
    answer = client.get("/download/many_rows.xlsx?limit=100000")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="many_rows.xlsx"'
    assert answer.content_type == media.XLSX
    assert rows_of(answer.data) == [["key"], *([n] for n in range(1, 100_001))]
    assert workbook.MOST_ROWS + 1 == 2**20


@pytest.mark.parametrize(
    "path",
    [
        "/builds/1/marts/data_issues",
        "/builds/1/marts/user_summary",
        "/builds/1/changes/user_summary?from=1",
    ],
)
def test_every_table_is_one_too(odd: Laboratory, client: FlaskClient, path: str) -> None:
    wanted = client.get(path).json
    answer = client.get(path, headers={"Accept": media.XLSX, "Prefer": "count=exact"})
    assert answer.status_code in (200, 206), answer.text
    header, *rows = rows_of(answer.data)
    assert wanted is not None
    assert len(rows) == len(wanted)
    for row, values in zip(rows, wanted, strict=True):
        for name, cell in zip(header, row, strict=True):
            if isinstance(values[name], int | float):
                assert cell == values[name]


def test_the_changes_as_a_file(odd: Laboratory, client: FlaskClient) -> None:
    answer = client.get("/download/builds/1/changes/user_summary.xlsx?from=1")
    assert rows_of(answer.data)[0][:2] == ["user_id", "change"]
    assert client.get("/download/builds/1/changes/user_summary.pdf?from=1").status_code == 404
