"""A build as a package for a paper: what is in it, and that others' tools can read it."""

import csv
import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from flask.testing import FlaskClient

from elute.database.sessions import Session
from tests.conftest import SAMPLE
from tests.integration.conftest import MARTS, Laboratory
from tests.integration.web.publishing import publish, register, withdraw


@pytest.fixture
def owner(built: Laboratory, owner: Session) -> Iterator[Session]:
    """The same; afterwards there is the sample's build alone."""
    yield owner
    withdraw(owner)


@pytest.fixture
def build(owner: Session) -> int:
    """The number of the sample's build."""
    return newest(owner)[0]


def newest(owner: Session) -> tuple[int, dict[str, Any]]:
    """The number of the newest build, and its tables."""
    with owner.cursor() as cursor:
        cursor.execute("select build, tables from builds.publications order by build desc limit 1")
        [(number, tables)] = cursor.fetchall()
    return number, tables


def package(client: FlaskClient, build: int) -> ZipFile:
    """The package of a build."""
    answer = client.get(f"/builds/{build}/package.zip")
    assert answer.status_code == 200, answer.text
    return ZipFile(io.BytesIO(answer.data))


def described(archive: ZipFile) -> Any:
    """What the package says of itself."""
    return json.loads(archive.read("datapackage.json"))


def test_frictionless_finds_it_valid(client: FlaskClient, build: int, tmp_path: Path) -> None:
    package(client, build).extractall(tmp_path)
    command = [sys.executable, "-m", "frictionless", "validate", "datapackage.json", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["valid"]
    assert {task["name"] for task in report["tasks"]} == {*MARTS}
    assert all(task["stats"]["fields"] and task["stats"]["rows"] for task in report["tasks"])
    # It would have noticed.
    with (tmp_path / "data" / "user_summary.csv").open("a") as file:
        file.write("x,,,,,,,,\n")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 1


def test_the_marts_are_in_it_as_they_are_served(client: FlaskClient, build: int) -> None:
    archive = package(client, build)
    assert archive.testzip() is None
    for mart in MARTS:
        served = client.get(f"/builds/{build}/marts/{mart}", headers={"Accept": "text/csv"})
        assert archive.read(f"data/{mart}.csv") == served.data


def test_it_says_what_is_in_the_columns(client: FlaskClient, build: int) -> None:
    resources = {each["name"]: each for each in described(package(client, build))["resources"]}
    users = resources["user_summary"]
    assert users["schema"]["primaryKey"] == ["user_id"]
    assert "primaryKey" not in resources["data_issues"]["schema"]
    types = {field["name"]: field["type"] for field in users["schema"]["fields"]}
    assert types["user_id"] == "integer"
    assert types["name"] == "string"
    assert types["signup_date"] == "date"
    assert types["avg_experiment_run_time"] == "number"
    for mart in client.get("/marts").get_json():
        fields = resources[mart["name"]]["schema"]["fields"]
        told = {field["name"]: field["description"] for field in fields}
        assert told == {each["name"]: each["description"] for each in mart["columns"]}
        assert resources[mart["name"]]["description"] == mart["description"]


def test_an_array_is_taken_for_nothing_that_is_in_it(client: FlaskClient, owner: Session) -> None:
    columns = "user_id, array[1.5]::numeric(10,2)[] as sizes, array[now()]::timestamp(3)[] as times"
    publish(owner, columns)
    found = described(package(client, newest(owner)[0]))["resources"]
    [users] = [each for each in found if each["name"] == "user_summary"]
    types = {field["name"]: field["type"] for field in users["schema"]["fields"]}
    assert types == {"user_id": "integer", "sizes": "any", "times": "any"}
    answer = client.get("/marts/user_summary/histogram?column=sizes")
    assert (answer.status_code, "histograms are of numbers" in answer.text) == (400, True)
    paths = client.get("/openapi.json").get_json()["paths"]
    [column, *_] = paths["/marts/user_summary/histogram"]["get"]["parameters"]
    assert column["schema"]["enum"] == ["user_id"]
    row = client.get("/openapi.json").get_json()["components"]["schemas"]["user_summary_row"]
    assert row["properties"]["sizes"]["type"] == ["string", "null"]


def test_a_unit_that_is_stated_is_told(client: FlaskClient, owner: Session) -> None:
    _, tables = newest(owner)
    meta = {"avg_experiment_run_time": {"unit": "s"}}
    users = {**tables["user_summary"], "column_meta": meta}
    register(owner, {**tables, "user_summary": users})
    [found] = [
        resource
        for resource in described(package(client, newest(owner)[0]))["resources"]
        if resource["name"] == "user_summary"
    ]
    units = {field["name"]: field.get("unit") for field in found["schema"]["fields"]}
    assert {name: unit for name, unit in units.items() if unit} == {"avg_experiment_run_time": "s"}


def test_it_says_what_it_was_made_from_and_how(client: FlaskClient, build: int) -> None:
    archive = package(client, build)
    found = described(archive)
    assert {source["title"]: source["hash"] for source in found["sources"]} == {
        name: f"sha256:{hashlib.sha256(content).hexdigest()}" for name, content in SAMPLE.items()
    }
    assert found["build"]["build"] == build
    assert found["build"]["project_version"] == "0.1.0"
    assert found["build"]["options"]["date_format"] == "YYYY-MM-DD"
    assert found["created"] == client.get(f"/builds/{build}").get_json()["published_at"]
    models = {path.removesuffix(".sql") for path in archive.namelist() if path.startswith("sql/")}
    assert models >= {f"sql/{mart}" for mart in (*MARTS, "stg_users", "int_users_kept")}
    text = archive.read("sql/user_summary.sql").decode()
    assert "{{" not in text
    assert "select * from summarized" in text


def test_the_checksums_are_those_of_its_files(client: FlaskClient, build: int) -> None:
    archive = package(client, build)
    lines = archive.read("SHA256SUMS").decode().splitlines()
    told = {path: digest for digest, path in (line.split("  ") for line in lines)}
    files = set(archive.namelist()) - {"SHA256SUMS"}
    assert told == {path: hashlib.sha256(archive.read(path)).hexdigest() for path in files}


def test_it_is_the_same_each_time(client: FlaskClient, build: int) -> None:
    path = f"/builds/{build}/package.zip"
    first, second = client.get(path), client.get(path)
    assert first.data == second.data
    assert first.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert first.headers["Content-Type"] == "application/zip"
    assert f'filename="elute-build-{build}.zip"' in first.headers["Content-Disposition"]


def test_a_build_of_before_the_sql_was_kept(client: FlaskClient, owner: Session) -> None:
    _, tables = newest(owner)
    for table in tables.values():
        del table["sql"]
    register(owner, tables)
    names = package(client, newest(owner)[0]).namelist()
    assert not [name for name in names if name.startswith("sql/")]
    assert "data/user_summary.csv" in names


def test_what_it_is_made_of_is_not_dropped_meanwhile(
    client: FlaskClient, owner: Session, build: int
) -> None:
    _, tables = newest(owner)
    lock = f'lock table builds."{tables["data_issues"]["table"]}" in access exclusive mode nowait'
    answer = client.get(f"/builds/{build}/package.zip", buffered=False)
    try:
        next(iter(answer.response))
        with owner.cursor() as cursor:
            with pytest.raises(Exception, match="could not obtain lock"):
                cursor.execute(f"begin; {lock}")
            cursor.execute("rollback")
    finally:
        answer.close()
    owner.cursor().execute(f"begin; set local lock_timeout = '30s'; {lock[:-7]}; rollback")


def test_builds_without_tables(client: FlaskClient, owner: Session) -> None:
    assert client.get("/builds/999/package.zip").status_code == 404
    first, tables = newest(owner)
    usage = {**tables["compound_usage"], "table": "gone"}
    register(owner, {**tables, "compound_usage": usage})
    answer = client.get(f"/builds/{newest(owner)[0]}/package.zip")
    assert answer.status_code == 410
    assert answer.get_json()["kept"] == [first]


def test_every_field_can_be_read_back(client: FlaskClient, build: int) -> None:
    text = package(client, build).read("data/data_issues.csv").decode()
    records = [json.loads(row["record"]) for row in csv.DictReader(io.StringIO(text))]
    assert all(isinstance(record, dict) for record in records)
