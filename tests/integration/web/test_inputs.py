"""The input files over HTTP: what is said of them, and that only good ones get in, whole."""

import errno
import io
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api import uploads
from api.marts import media
from elute import inputs as input_files
from tests.books import rows_of, workbook
from tests.conftest import SAMPLE
from tests.integration.conftest import Laboratory
from tests.integration.web.conftest import ClientWith

USERS = SAMPLE["users.csv"]
MORE = USERS + b"99,Zoe,zoe@lab.example,2024-02-29\n"


def put(client: FlaskClient, content: bytes, name: str = "users.csv", **more: Any) -> Any:
    more.setdefault("content_type", "text/csv")
    return client.put(f"/inputs/{name}", data=content, **more)


def test_each_file_is_described(client: FlaskClient, files: Path) -> None:
    (files / "compounds.csv").unlink()
    extra = USERS.replace(b"\n", b",x\n")
    (files / "users.csv").write_bytes(extra)
    users, experiments, compounds = client.get("/inputs").get_json()["inputs"]
    assert (users["name"], users["records"], users["extra_columns"]) == ("users.csv", 14, ["x"])
    assert (experiments["records"], experiments["bytes"]) == (72, len(SAMPLE[experiments["name"]]))
    assert experiments["problems"] == []
    assert not compounds["exists"]
    assert compounds["problems"][0]["reason"].startswith("there is no such file")
    assert compounds["workbook"] is None


def test_files_out_of_reach_are_said_to_be(
    client: FlaskClient, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(function: Any) -> Any:
        def refuse(path: Path, *others: Any, **options: Any) -> Any:
            if path.parent == files:  # root may look into every folder
                raise PermissionError(errno.EACCES, "Permission denied")
            return function(path, *others, **options)

        return refuse

    monkeypatch.setattr(Path, "stat", without(Path.stat))
    monkeypatch.setattr(Path, "open", without(Path.open))
    users, *_ = client.get("/inputs").get_json()["inputs"]
    assert users["problems"][0]["reason"] == "the file cannot be read: Permission denied"
    answer = client.get("/inputs/users.csv")
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")
    assert "users.csv is out of reach" in answer.text


def test_a_folder_is_no_file(client: FlaskClient, files: Path) -> None:
    (files / "users.csv").unlink()
    (files / "users.csv").mkdir()
    users, *_ = client.get("/inputs").get_json()["inputs"]
    assert users["problems"]
    answer = client.get("/inputs/users.csv")
    assert (answer.status_code, answer.get_json()["title"]) == (404, "No such file")
    (files / "users.csv").rmdir()


def test_the_folder_of_the_files_may_be_a_file(client_with: ClientWith, files: Path) -> None:
    client = client_with(seeds_dir=files / "users.csv")
    users, *_ = client.get("/inputs").get_json()["inputs"]
    assert (users["exists"], bool(users["problems"])) == (False, True)
    assert client.get("/inputs/users.csv").status_code == 404


def test_a_workbook_that_waits_beside_its_file_is_told(client: FlaskClient, files: Path) -> None:
    (files / "users.xlsx").write_bytes(workbook({"Users": rows_of(USERS)}))
    users, experiments, _ = client.get("/inputs").get_json()["inputs"]
    assert (users["workbook"], experiments["workbook"]) == ("users.xlsx", None)
    answer = put(client, MORE).get_json()
    assert (answer["workbook"], answer["records"]) == (None, 15)


def test_a_file_is_downloaded_as_it_is(client: FlaskClient, files: Path) -> None:
    with client.get("/inputs/users.csv") as answer:
        assert (answer.data, answer.mimetype) == (USERS, "text/csv")
        seen = {"If-None-Match": answer.headers["ETag"]}
    with client.get("/inputs/users.csv", headers=seen) as again:
        assert (again.status_code, again.data) == (304, b"")
    with client.get("/inputs/users.csv", headers={"Range": "bytes=0-6"}) as part:
        assert (part.status_code, part.data) == (206, b"user_id")


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("path", ["/inputs", "/inputs/users.csv", "/etl-results", "/marts"])
@pytest.mark.parametrize("name", ["If-Modified-Since", "If-Unmodified-Since", "If-Range"])
def test_a_date_that_no_calendar_has_is_ignored(client: FlaskClient, path: str, name: str) -> None:
    absurd = {name: f"Mon, 01 Jan {10**20} 00:00:00 GMT"}
    if name == "If-Range":
        absurd["Range"] = "bytes=0-6"  # Not sent a part: it may have one of another file.
    with client.get(path, headers=absurd) as answer:
        assert answer.status_code == 200


@pytest.mark.parametrize("name", ["seeds.yml", "users", "..%2Fusers.csv", ".replaced", "USERS.CSV"])
def test_no_other_file_is_got_or_put(client: FlaskClient, files: Path, name: str) -> None:
    assert client.get(f"/inputs/{name}").status_code == 404
    assert put(client, USERS, name).status_code == 404
    assert sorted(path.name for path in files.iterdir()) == sorted(SAMPLE)


def test_a_good_file_takes_the_place_and_the_old_one_is_kept(
    client: FlaskClient, files: Path
) -> None:
    (files / "users.csv").chmod(0o640)
    answer = put(client, MORE)
    assert answer.status_code == 200
    assert answer.get_json()["records"] == 15
    assert (files / "users.csv").read_bytes() == MORE
    assert stat.S_IMODE((files / "users.csv").stat().st_mode) == 0o640
    kept = files / ".replaced" / answer.get_json()["kept_as"]
    assert kept.read_bytes() == USERS
    assert client.get("/inputs").get_json()["inputs"][0]["replaced"] == [kept.name]


def test_a_form_with_one_file_will_do(client: FlaskClient, files: Path) -> None:
    form = {"file": (io.BytesIO(MORE), "my export.csv")}
    answer = client.put("/inputs/users.csv", data=form)
    assert answer.status_code == 200
    assert (files / "users.csv").read_bytes() == MORE


def test_what_dbt_would_take_for_a_seed_is_never_left(client: FlaskClient, files: Path) -> None:
    put(client, MORE)
    put(client, b"nonsense")
    assert sorted(path.name for path in files.rglob("*.csv")) == sorted(SAMPLE)


def test_a_bad_file_is_refused_with_file_line_and_reason(client: FlaskClient, files: Path) -> None:
    answer = put(client, USERS + b"15,early\n16,too,many,2020-01-01,x\n17,cut")
    problem = answer.get_json()
    assert (answer.status_code, answer.mimetype) == (422, "application/problem+json")
    assert (problem["file"], problem["line"]) == ("users.csv", 17)
    assert problem["reason"].startswith("5 fields where 4 are expected")
    assert [each["line"] for each in problem["problems"]] == [17, 18]
    assert (files / "users.csv").read_bytes() == USERS
    assert not (files / ".replaced").exists()


def test_a_file_without_a_record_is_refused(client: FlaskClient, files: Path) -> None:
    assert put(client, USERS.split(b"\n")[0]).status_code == 422
    assert put(client, b"").status_code == 422


def test_a_workbook_becomes_the_file(client: FlaskClient, files: Path) -> None:
    rows = rows_of(MORE)
    answer = put(client, workbook({"Notes": [["x"]], "Users": rows}), content_type=media.XLSX)
    assert (answer.status_code, answer.get_json()["records"]) == (200, 15)
    assert rows_of(client.get("/inputs/users.csv").data) == rows
    refused = put(client, workbook({"Notes": [["x"]]}))
    assert refused.status_code == 422
    assert refused.get_json()["reason"].startswith("no sheet has the columns user_id, name")
    assert sorted(path.name for path in files.rglob("*.*sv")) == sorted(SAMPLE)
    assert not list(files.glob(".*.unfinished*"))


def test_a_dry_run_replaces_nothing(client: FlaskClient, files: Path) -> None:
    answer = client.put("/inputs/users.csv?dry_run=1", data=MORE, content_type="text/csv")
    assert (answer.status_code, answer.get_json()["records"]) == (200, 15)
    assert client.put("/inputs/users.csv?dry_run=1", data=b"x").status_code == 422
    assert (files / "users.csv").read_bytes() == USERS
    assert sorted(path.name for path in files.iterdir()) == sorted(SAMPLE)


def test_a_dry_run_says_what_would_stop_a_build(
    client: FlaskClient, files: Path, one_laboratory: Laboratory
) -> None:
    check = "/inputs/users.csv?dry_run=1"
    assert put(client, MORE, check.removeprefix("/inputs/")).get_json()["stops"] == []
    built = one_laboratory.elute("build", "--exclude-resource-type", "unit_test")
    assert built.returncode == 0, built.stderr
    assert client.put(check, data=MORE, content_type="text/csv").get_json()["stops"] == []
    dates = USERS.replace(b"-0", b"/0").replace(b"-1", b"/1").replace(b"-2", b"/2")
    answer = client.put(check, data=dates, content_type="text/csv").get_json()
    assert (answer["records"], answer["problems"]) == (14, [])
    [stop] = answer["stops"]
    assert stop.startswith("users.csv: 14 of 14 values of signup_date could not be used")
    assert "ELUTE_DATE_FORMAT" in stop
    assert (files / "users.csv").read_bytes() == USERS


def test_a_part_of_a_file_replaces_nothing(client: FlaskClient, files: Path) -> None:
    part = SAMPLE["users.csv"][:64]
    refused = client.put(
        "/inputs/users.csv", data=part, headers={"Content-Range": "bytes 0-63/1000"}
    )
    assert refused.status_code == 400
    assert (files / "users.csv").read_bytes() == SAMPLE["users.csv"]


def test_what_was_replaced_is_kept_also_after_the_clock_was_set_back(
    client: FlaskClient, files: Path
) -> None:
    (files / ".replaced").mkdir()
    for number in range(input_files.KEPT):
        (files / ".replaced" / f"users.csv.2999010{number}T000000.000000Z").touch()
    kept = put(client, MORE).get_json()["kept_as"]
    assert (files / ".replaced" / kept).read_bytes() == USERS


def test_what_somebody_else_has_replaced_is_not_overwritten(
    client: FlaskClient, files: Path
) -> None:
    with client.get("/inputs/users.csv") as answer:
        seen = {"If-Match": answer.headers["ETag"]}
    first = put(client, MORE, headers=seen)
    assert first.status_code == 200
    assert put(client, USERS, headers=seen).status_code == 412
    assert put(client, USERS, headers={"If-Match": first.headers["ETag"]}).status_code == 200
    assert put(client, MORE, headers={"If-None-Match": "*"}).status_code == 412


def test_a_file_that_was_not_there_is_created(client: FlaskClient, files: Path) -> None:
    (files / "users.csv").unlink()
    answer = put(client, USERS, headers={"If-None-Match": "*"})
    assert (answer.status_code, answer.get_json()["kept_as"]) == (201, None)


def test_the_newest_ten_are_kept(client: FlaskClient, files: Path) -> None:
    for _ in range(12):
        assert put(client, MORE).status_code == 200
    kept = client.get("/inputs").get_json()["inputs"][0]["replaced"]
    assert len(kept) == input_files.KEPT == 10
    assert kept == sorted(kept, reverse=True)
    assert all((files / ".replaced" / name).read_bytes() == MORE for name in kept)


def test_of_two_uploads_at_once_with_the_same_etag_one_wins(app: Flask, files: Path) -> None:
    with app.test_client().get("/inputs/users.csv") as answer:
        seen = {"If-Match": answer.headers["ETag"]}
    statuses = []

    def upload() -> None:
        statuses.append(put(app.test_client(), MORE, headers=seen).status_code)

    threads = [threading.Thread(target=upload) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [412] * 7
    assert len(list((files / ".replaced").iterdir())) == 1


def test_a_link_stays_one(client: FlaskClient, files: Path, tmp_path: Path) -> None:
    (files / "users.csv").rename(tmp_path / "export.csv")
    (files / "users.csv").symlink_to(tmp_path / "export.csv")
    assert put(client, MORE).status_code == 200
    assert (files / "users.csv").is_symlink()
    assert (tmp_path / "export.csv").read_bytes() == MORE


def test_a_folder_that_is_not_there_is_told(client: FlaskClient, files: Path) -> None:
    away = files.with_name("away")
    files.rename(away)
    try:
        answer = put(client, USERS)
    finally:
        away.rename(files)
    assert answer.status_code == 409
    assert "ELUTE_SEEDS_DIR" in answer.get_json()["detail"]
    assert str(files) not in answer.text


def test_a_full_disk_is_told_before_the_file_is_sent(
    client: FlaskClient, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "RESERVE", 1 << 60)
    answer = put(client, USERS)
    assert answer.status_code == 507
    assert sorted(path.name for path in files.iterdir()) == sorted(SAMPLE)


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 400),
        ("application/octet-stream", 422),
        ("", 422),
    ],
)
def test_only_a_file_is_taken(
    client: FlaskClient, files: Path, content_type: str, status: int
) -> None:
    assert put(client, b"{}", content_type=content_type).status_code == status


def test_an_upload_larger_than_other_bodies_may_be(client: FlaskClient, files: Path) -> None:
    lines = b"".join(b"%d,Name,mail@lab.example,2020-01-01\n" % number for number in range(60_000))
    content = USERS.split(b"\n")[0] + b"\n" + lines
    assert len(content) > 2_000_000
    assert put(client, content).get_json()["records"] == 60_000
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="users.csv"\r\n\r\n'
    form = part + content + b"\r\n--x--\r\n"
    answer = put(client, form, content_type="multipart/form-data; boundary=x")
    assert answer.get_json()["records"] == 60_000
