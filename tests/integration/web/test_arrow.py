"""Tables as Parquet and Arrow, read back and compared with CSV."""

import csv
import io
import json
import sys
from contextlib import closing
from typing import Any

import pyarrow as pa
import pytest
from flask.testing import FlaskClient
from pyarrow import ipc, parquet

from api import marts
from api.marts import arrow, media
from elute.database.sessions import connect
from tests.integration.conftest import Laboratory
from tests.integration.web.publishing import register

ROWS = 150_000
_TABLE = """
create table builds.typed as
select
    key,
    (key - 9007199254740993)::bigint as whole,
    (key % 7)::smallint as small,
    (key::numeric / 7)::numeric(20, 4) as amount,
    nullif(key::numeric / 3, 1) as exact,
    key / 3::float8 as inexact,
    date '2020-01-01' + key % 1000 as day,
    nullif(key % 3, 0) = 1 as is_so,
    (array[null, '', 'ü "quoted",' || E'\\n' || repeat('x', 40), '\\.'])[1 + key % 4] as words,
    jsonb_build_object('key', key) as record
from generate_series(1, %s) as key;
alter table builds.typed add primary key (key);
"""
_MART = {"schema": "builds", "table": "typed", "view_schema": "marts", "description": ""}


@pytest.fixture(scope="module")
def typed(built: Laboratory) -> Laboratory:
    with closing(connect(built.environment)) as owner:
        owner.cursor().execute(_TABLE.replace("%", "%%").replace("%%s", "%s"), [ROWS])
        register(owner, {"typed": {**_MART, "meta": {}}})
    return built


def table_of(client: FlaskClient, path: str, media_type: str) -> Any:
    """What a reader of that format has of an answer."""
    answer = client.get(path, headers={"Accept": media_type, "Prefer": "count=exact"})
    assert answer.status_code in (200, 206), answer.text
    assert answer.content_type == media_type
    if media_type == media.PARQUET:
        return parquet.read_table(io.BytesIO(answer.data))
    return ipc.open_stream(answer.data).read_all()


def text_of(value: Any) -> str:
    """A value as PostgreSQL writes it in CSV; what is null has no text there."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


@pytest.mark.parametrize("media_type", media.ARROWS)
@pytest.mark.parametrize("path", ["/marts/typed", "/builds/1/marts/user_summary"])
def test_each_row_is_that_of_the_csv(
    typed: Laboratory, client: FlaskClient, path: str, media_type: str
) -> None:
    found = table_of(client, path, media_type)
    text = client.get(path, headers={"Accept": media.CSV}).text
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    assert found.column_names == header
    assert found.num_rows == len(rows)
    columns = [found.column(name).to_pylist() for name in header if name != "inexact"]
    for number, values in enumerate(zip(*columns, strict=True)):
        wanted = [
            cell for name, cell in zip(header, rows[number], strict=True) if name != "inexact"
        ]
        assert list(map(text_of, values)) == wanted
    if "inexact" in header:
        place = header.index("inexact")
        assert found.column("inexact").to_pylist() == [float(row[place]) for row in rows]


@pytest.mark.parametrize("media_type", media.ARROWS)
def test_types_are_exact(typed: Laboratory, client: FlaskClient, media_type: str) -> None:
    found = table_of(client, "/marts/typed?limit=8&order=key", media_type)
    assert dict(zip(found.column_names, found.schema.types, strict=True)) == {
        "key": pa.int32(),
        "whole": pa.int64(),
        "small": pa.int16(),
        "amount": pa.decimal128(20, 4),
        "exact": pa.string(),
        "inexact": pa.float64(),
        "day": pa.date32(),
        "is_so": pa.bool_(),
        "words": pa.string(),
        "record": pa.string(),
    }
    assert found.column("words").to_pylist()[2:4] == ["\\.", None]
    assert found.column("words").to_pylist()[4] == ""
    assert json.loads(found.column("record")[0].as_py()) == {"key": 1}


@pytest.mark.parametrize("media_type", media.ARROWS)
def test_no_row_and_nulls_alone(typed: Laboratory, client: FlaskClient, media_type: str) -> None:
    nothing = table_of(client, "/marts/typed?key=lt.0", media_type)
    assert (nothing.num_rows, len(nothing.column_names)) == (0, 10)
    nulls = table_of(client, "/marts/typed?select=words&words=is.null&limit=3", media_type)
    assert nulls.column("words").to_pylist() == [None] * 3


@pytest.mark.parametrize("media_type", media.BINARY)
def test_a_file_without_columns_is_refused(
    typed: Laboratory, client: FlaskClient, media_type: str
) -> None:
    refused = client.get("/marts/typed?select=", headers={"Accept": media_type})
    assert refused.status_code == 400
    assert "select at least one" in refused.get_json()["detail"]


def test_rows_are_never_cut_within_quotes() -> None:
    text = b'1,"a\n""b\n"\n2,"c\n'
    assert text[: arrow._end(text)] == b'1,"a\n""b\n"\n'
    assert arrow._end(b'"a\n') == 0


def test_a_file_to_save(typed: Laboratory, client: FlaskClient) -> None:
    for extension in ("parquet", "arrows"):
        answer = client.get(f"/download/typed.{extension}?limit=1")
        assert answer.headers["Content-Disposition"].endswith(f'"typed.{extension}"')


def test_without_the_library_it_says_what_to_install(
    typed: Laboratory, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(marts, "arrow")
    monkeypatch.setitem(sys.modules, "api.marts.arrow", None)
    answer = client.get("/marts/typed", headers={"Accept": media.PARQUET})
    assert (answer.status_code, answer.content_type) == (406, "application/problem+json")
    assert "requirements-arrow.txt" in answer.text
