"""Which records of the input files are not the same in two builds, over HTTP."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from elute.database.sessions import Session
from tests.conftest import SAMPLE
from tests.integration.conftest import Laboratory
from tests.integration.web.conftest import ClientWith

USERS = SAMPLE["users.csv"]
SAME = {"added": 0, "removed": 0, "records": []}


@pytest.fixture
def built_with(built: Laboratory, client: FlaskClient) -> Iterator[Any]:
    """Build with another users.csv; the numbers of the build of the sample, and of that one."""
    built.write_only(SAMPLE)

    def build(users: bytes, **changes: str) -> tuple[int, int]:
        numbers = []
        for content, options in ((USERS, {}), (users, changes)):
            built.write({"users.csv": content})
            done = built.elute("build", **options)
            assert done.returncode == 0, done.stdout
            numbers.append(client.get("/builds?limit=1").get_json()["builds"][0]["build"])
        return numbers[0], numbers[1]

    yield build
    built.write_only(SAMPLE)


def by_file(client: FlaskClient, path: str) -> dict[str, Any]:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return {file.pop("name"): file for file in answer.get_json()["files"]}


def test_records_that_were_added_and_removed_are_listed_by_key(
    client: FlaskClient, built_with: Any
) -> None:
    changed = USERS.decode().replace("Keller", "Köller") + "99,Zoe,,\n99,Zoe\n"
    first, second = built_with(changed.encode("cp1252"), ELUTE_CSV_ENCODING="cp1252")
    files = by_file(client, f"/builds/{second}/file-changes")
    assert files["compounds.csv"] == files["user_experiments.csv"] == SAME
    users = files["users.csv"]
    assert (users["added"], users["removed"]) == (3, 1)
    told = [
        (each["change"], each["record_number"], each["times"], each["record"]["name"])
        for each in users["records"]
    ]
    assert told == [
        ("removed", 2, 1, "Bruno Keller"),
        ("added", 2, 1, "Bruno Köller"),
        ("added", 15, 2, "Zoe"),
    ]
    assert users["records"][2]["record"]["email"] is None
    # The other way round, and with itself.
    users = by_file(client, f"/builds/{first}/file-changes?from={second}")["users.csv"]
    assert (users["added"], users["removed"]) == (1, 3)
    assert by_file(client, f"/builds/{first}/file-changes?from={first}")["users.csv"] == SAME


def test_what_is_not_kept_or_not_there_is_said(
    client: FlaskClient, client_with: ClientWith, built_with: Any, owner: Session
) -> None:
    first, second = built_with(USERS + b"99,Zoe,,\n")
    path = f"/builds/{second}/file-changes"
    note = "update builds.publications set files = files || %s where build = %s"
    owner.cursor().execute(note, ['{"users.csv": "0"}', first])
    answer = client.get(path).get_json()
    assert answer["not_kept"] == ["users.csv"]
    assert (answer["build"], answer["from"]) == (second, first)
    assert client.get("/builds/9999/file-changes").status_code == 404
    assert client.get(f"{path}?from=9999").status_code == 404
    assert client.get(f"{path}?from=x").status_code == 400
