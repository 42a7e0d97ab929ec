"""Who changed what over HTTP."""

from pathlib import Path
from typing import Any

import psycopg2
import pytest
from flask.testing import FlaskClient

from elute.database.sessions import Session
from tests.conftest import SAMPLE
from tests.integration.web.conftest import ClientWith

ANNA, BEN = "token-of-anna-1234", "token-of-ben-12345"
USERS = SAMPLE["users.csv"]


@pytest.fixture
def named(client_with: ClientWith, files: Path) -> FlaskClient:
    """A client of the app with two tokens that have names."""
    return client_with(tokens={ANNA: "anna", BEN: "ben"}, seeds_dir=files)


def changes(client: FlaskClient, count: int) -> list[dict[str, Any]]:
    """The newest, the oldest of them first."""
    found: list[dict[str, Any]] = client.get(f"/audit?limit={count}").get_json()["changes"]
    return found[::-1]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "User-Agent": "curl/8.5.0"}


def test_each_change_is_noted_with_the_name_of_its_token(
    named: FlaskClient, session: Session
) -> None:
    assert named.get("/trigger-etl?wait=0", headers=bearer(ANNA)).status_code == 202
    assert named.post("/runs", headers=bearer(BEN)).status_code == 202
    assert named.delete("/runs/1", headers=bearer(ANNA)).status_code == 202
    put = named.put("/inputs/users.csv", data=USERS, headers=bearer(BEN))
    assert put.status_code == 200
    found = changes(named, 4)
    assert [(each["who"], each["action"], each["subject"]) for each in found] == [
        ("anna", "trigger", "run 1"),
        ("ben", "trigger", "run 1"),
        ("anna", "cancel", "run 1"),
        ("ben", "upload", "users.csv"),
    ]
    assert {each["asked_from"] for each in found} == {"127.0.0.1, curl/8.5.0"}
    assert [each["changed_at"] for each in found] == sorted(each["changed_at"] for each in found)


def test_a_run_says_whose_token_asked_for_it(named: FlaskClient, session: Session) -> None:
    run = named.post("/runs", headers=bearer(ANNA)).get_json()
    assert run["requested_by"] == "anna, 127.0.0.1, curl/8.5.0"


def test_what_changes_nothing_is_not_noted(named: FlaskClient, session: Session) -> None:
    named.post("/runs", headers=bearer(ANNA))
    before = changes(named, 1)
    assert named.post("/runs", headers=bearer("another-token-123")).status_code == 401
    assert (
        named.put("/inputs/users.csv", data=b"no,header\n", headers=bearer(BEN)).status_code > 400
    )
    dry = named.put("/inputs/users.csv?dry_run=1", data=USERS, headers=bearer(BEN))
    assert (dry.status_code, named.get("/runs").status_code) == (200, 200)
    assert changes(named, 1) == before


def test_without_a_name_the_address_is_noted(client: FlaskClient, session: Session) -> None:
    client.post("/runs", headers={"User-Agent": "curl/8.5.0"})
    [change] = changes(client, 1)
    assert (change["who"], change["asked_from"]) == (None, "127.0.0.1, curl/8.5.0")


def test_older_changes_are_a_page_further(client: FlaskClient, session: Session) -> None:
    for _ in range(3):
        client.post("/runs")
    first = client.get("/audit?limit=2").get_json()
    second = client.get(first["next"]).get_json()
    numbers = [each["change_number"] for each in [*first["changes"], *second["changes"]]]
    assert len(numbers) >= 3
    assert numbers == sorted(set(numbers), reverse=True)
    assert client.get("/audit?limit=0").status_code == 400


@pytest.mark.parametrize(
    "statement",
    ["update elute.changes set who = 'ben'", "delete from elute.changes", "truncate elute.changes"],
)
def test_what_was_noted_stays(client: FlaskClient, session: Session, statement: str) -> None:
    client.post("/runs")
    with pytest.raises(psycopg2.errors.RaiseException, match="keeps what it has"):
        session.cursor().execute(statement)


def test_an_upload_without_a_database_is_noted_in_the_log(
    away: FlaskClient, files: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING", logger="elute.web")
    assert away.put("/inputs/users.csv", data=USERS).status_code == 200
    assert "'action': 'upload', 'subject': 'users.csv'" in caplog.text
