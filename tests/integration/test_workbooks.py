"""Workbooks in the folder of the files, where CSV files are expected."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from elute import provenance
from elute.database.sessions import connect
from elute.runs import queue
from elute.settings import Settings
from elute.workbooks import files_signature
from tests.books import rows_of, workbook
from tests.conftest import SAMPLE
from tests.integration.conftest import Laboratory
from tests.service import LIMIT, Process, ended, until


def number(field: str) -> float | str:
    """A number, if it is one."""
    try:
        return float(field)
    except ValueError:
        return field


SHEETS = {
    name: [[number(field) for field in row] for row in rows_of(content)]
    for name, content in SAMPLE.items()
}


@pytest.fixture
def folder(built: Laboratory) -> Iterator[Path]:
    """The folder of a laboratory whose sample is built."""
    yield built.files
    shutil.rmtree(built.files / ".replaced", ignore_errors=True)


def put(folder: Path, name: str, content: bytes) -> None:
    """A workbook in the place of this input file."""
    (folder / name).with_suffix(".xlsx").write_bytes(content)


def test_a_build_of_workbooks_is_one_of_the_same_files(folder: Path, built: Laboratory) -> None:
    wanted = built.marts()
    for name in SAMPLE:
        (folder / name).unlink()
        put(folder, name, workbook({f"{other} sheet": rows for other, rows in SHEETS.items()}))
    checked = built.elute("check")
    assert "users.xlsx, from which a build makes users.csv: 14 records" in checked.stdout
    result = built.build()
    assert result.returncode == 0, result.stderr
    said = "users.csv was made from users.xlsx: sheet “users.csv sheet”, whose row 1 names the"
    assert said in result.stdout
    assert built.marts() == wanted
    again = built.build()
    assert "was made from" not in again.stdout


def test_the_newer_one_counts(folder: Path, built: Laboratory) -> None:
    header, *users = SHEETS["users.csv"]
    put(folder, "users.csv", workbook({"Users": [header, users[0]]}))
    (folder / "users.csv").write_bytes(SAMPLE["users.csv"])
    seen = files_signature(folder)["users.csv"]
    built.write_only(SAMPLE)
    put(folder, "users.csv", workbook({"Users": [header, *users[:12]]}))
    assert files_signature(folder)["users.csv"] != seen
    assert built.build().returncode == 0
    [row] = built.rows(
        "select records_read from marts.input_summary where source_file = 'users.csv'"
    )
    assert row == {"records_read": 12}
    [kept] = (folder / ".replaced").iterdir()
    assert kept.read_bytes() == SAMPLE["users.csv"]


def test_one_that_cannot_be_read_stops_the_build(folder: Path, built: Laboratory) -> None:
    before = built.marts()
    put(folder, "users.csv", workbook({"Users": [["user_id", "name"], [1, "Ada"]]}))
    result = built.build()
    assert result.returncode == 1
    wanted = (
        "users.xlsx: no sheet has the columns user_id, name, email, signup_date: “Users”, row 1"
    )
    assert wanted in " ".join(result.stderr.split())
    assert wanted in built.elute("check").stdout
    assert built.marts() == before
    assert (folder / "users.csv").read_bytes() == SAMPLE["users.csv"]
    [run] = built.rows("select * from elute.runs order by run_id desc limit 1")
    assert (run["trigger"], run["state"], run["error_kind"]) == ("terminal", "failed", "input")
    assert wanted in run["error"]


def test_the_worker_takes_it_in(folder: Path, built: Laboratory, tmp_path: Path) -> None:
    settings = Settings.from_environment(built.environment)
    with closing(connect(built.environment)) as session:
        worker = Process("worker", environment=built.environment, log=tmp_path / "worker.log")
        try:
            first = queue.request(session, "http")
            assert ended(session, first.run_id).state == "succeeded", worker.said()
            assert provenance.current(session, settings)
            put(folder, "users.csv", workbook({"Users": SHEETS["users.csv"]}))
            assert not provenance.current(session, settings)
            second = queue.request(session, "http")
            assert ended(session, second.run_id).state == "succeeded", worker.said()
            assert provenance.current(session, settings)
            said = [
                event.data.get("message") for event in queue.events_after(session, second.run_id)
            ]
            assert any(str(each).startswith("users.csv was made from users.xlsx") for each in said)
            put(folder, "users.csv", b"PK\x03\x04")
            third = ended(session, queue.request(session, "http").run_id)
            assert (third.state, third.error_kind) == ("failed", "input")
            assert str(third.error).startswith("users.xlsx: this is no Excel workbook")
        finally:
            worker.stop()


@contextmanager
def endless_workbook(folder: Path) -> Iterator[Path]:
    """One that is read without end, a pipe into which nobody writes; at the end nobody reads it."""
    path = folder / "users.xlsx"
    os.mkfifo(path)
    try:
        yield path
        until(lambda: not has_reader(path))
    finally:
        path.unlink()


def has_reader(path: Path) -> bool:
    """Whether a process was started with this path."""
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # one that has ended
            if bytes(path) in command.read_bytes():
                return True
    return False


def test_it_is_given_up_when_the_run_is_cancelled_or_the_worker_stopped(
    folder: Path, built: Laboratory, tmp_path: Path
) -> None:
    with closing(connect(built.environment)) as session:
        worker = Process("worker", environment=built.environment, log=tmp_path / "worker.log")
        try:
            with endless_workbook(folder) as path:
                first = queue.request(session, "http")
                until(lambda: has_reader(path))
                queue.cancel(session, first.run_id)
            assert ended(session, first.run_id).state == "cancelled", worker.said()
            until(lambda: f"Run {first.run_id}: cancelled\n" in worker.said())
            with endless_workbook(folder) as path:
                second = queue.request(session, "http")
                until(lambda: has_reader(path))
                worker.process.terminate()
            assert ended(session, second.run_id).state == "stopped", worker.said()
            assert worker.process.wait(LIMIT) == 0
            again = queue.latest_try(session, second.run_id)
            assert again
            assert (again.state, again.retry_of) == ("queued", second.run_id)
        finally:
            worker.stop()


def test_ctrl_c_ends_the_reading_too(folder: Path, built: Laboratory, tmp_path: Path) -> None:
    with endless_workbook(folder) as path:
        build = Process("build", environment=built.environment, log=tmp_path / "build.log")
        try:
            until(lambda: has_reader(path))
            build.process.send_signal(signal.SIGINT)
            assert build.process.wait(LIMIT) == 130, build.said()
        finally:
            build.stop()
    assert "Stopped. What was published before stays." in build.said()
    [run] = built.rows("select * from elute.runs order by run_id desc limit 1")
    assert (run["trigger"], run["state"]) == ("terminal", "cancelled")


def test_a_file_elsewhere_is_checked(built: Laboratory, tmp_path: Path) -> None:
    path = tmp_path / "november.xlsx"
    path.write_bytes(workbook({name: SHEETS[name] for name in ("users.csv", "compounds.csv")}))
    result = built.elute("check", str(path))
    assert result.returncode == 0, result.stdout
    assert result.stdout.split("\n")[:2] == [
        f"ok      {path} as users.csv: 14 records",
        f"ok      {path} as compounds.csv: 12 records",
    ]
    path.write_bytes(workbook({"Notes": [["x"]]}))
    result = built.elute("check", str(path), str(tmp_path / "users.csv"))
    assert result.returncode == 1
    assert "november.xlsx: no sheet has the columns" in result.stdout
    assert "No such file or directory" in result.stdout
