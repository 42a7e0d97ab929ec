"""Files that were loaded are kept: what was read, once, and no more than is wanted."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dbt.adapters.pgcopy.kept_files import forget_files
from dbt.tests.util import run_dbt, run_dbt_and_capture

Query = Callable[..., list[tuple[Any, ...]]]
# ASCII: dbt 1.11 reads a seed of its project as UTF-8 before it is loaded.
CONTENT = b"user_id;name\r\n1;Zoe\r\n"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class TestKeptFiles:
    @pytest.fixture(scope="class")
    def kept(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return tmp_path_factory.mktemp("home") / "kept"

    @pytest.fixture(scope="class")
    def seeds(self) -> dict[str, str]:
        return {"users.csv": "user_id,name\n"}

    @pytest.fixture(scope="class")
    def models(self) -> dict[str, str]:
        return {"names.sql": "select name from {{ ref('users') }}"}

    @pytest.fixture(scope="class")
    def project_config_update(self, kept: Path) -> dict[str, Any]:
        return {
            "models": {"+materialized": "published"},
            "seeds": {
                "+column_types": {
                    "user_id": "text",
                    "name": "text",
                    "record_number": "bigint generated always as identity",
                },
                "+meta": {"csv_kept_in": str(kept), "csv_encoding": "cp1252"},
            },
            "flags": {"maximum_seed_size_mib": -1, "send_anonymous_usage_stats": False},
            "on-run-end": "{{ publish_build(results, keep=2, keep_files_mb=1) }}",
        }

    @pytest.fixture(autouse=True)
    def _nothing_kept(self, project: Any, query: Query, kept: Path) -> Iterator[None]:
        yield
        query(f"drop schema if exists {project.test_schema}_builds cascade")
        shutil.rmtree(kept, ignore_errors=True)

    def test_what_was_read_is_kept_once_for_its_owner_alone(
        self, query: Query, project: Any, seed_file: Callable[..., Path], kept: Path
    ) -> None:
        path = seed_file(CONTENT)
        for _ in range(2):
            run_dbt(["build"])
        with path.open("r+b") as file:  # as some editors write
            file.write(b"other")
        [file] = kept.iterdir()
        assert (file.name, file.read_bytes()) == (sha256(CONTENT), CONTENT)
        assert file.stat().st_mode & 0o777 == 0o600
        assert kept.stat().st_mode & 0o777 == 0o700
        files = query(f"select files from {project.test_schema}_builds.publications")
        assert files == [({"users.csv": file.name},)] * 2

    def test_those_of_the_newest_builds_stay_also_without_tables(
        self, seed_file: Callable[..., Path], kept: Path
    ) -> None:
        large = b"2;" + b"x" * 600_000 + b"\r\n"
        contents = [CONTENT + large, CONTENT + large + b"9;x\r\n", CONTENT, CONTENT + b"3;x\r\n"]
        for content in contents:
            seed_file(content)
            run_dbt(["build"])
        (kept / "notes.txt").touch()  # of somebody else
        assert {path.name for path in kept.iterdir()} == {"notes.txt", *map(sha256, contents[1:])}
        # What is not published is not kept.
        seed_file(b"no header\n")
        run_dbt(["build"], expect_pass=False)
        seed_file(CONTENT + b"4;x\r\n")
        run_dbt(["seed"])
        assert len(list(kept.iterdir())) == 4

    def test_a_build_does_not_fail_for_want_of_a_place(
        self, query: Query, seed_file: Callable[..., Path], kept: Path
    ) -> None:
        seed_file(CONTENT)
        kept.write_text("in the way")
        _, output = run_dbt_and_capture(["build"])
        kept.unlink()
        assert "users.csv is not kept" in output
        assert query("select name from names") == [("Zoe",)]


def test_all_together_are_no_larger_than_they_may_be(tmp_path: Path) -> None:
    names = [sha256(b"%d" % number) for number in range(4)]
    for name in names[1:]:
        (tmp_path / name).write_bytes(b"12345")
    forget_files(tmp_path, [*names, names[1]], most_bytes=12)
    assert {path.name for path in tmp_path.iterdir()} == set(names[1:3])


def test_what_another_database_may_want_stays_while_there_is_room(tmp_path: Path) -> None:
    ours, older, newer = (sha256(b"%d" % number) for number in range(3))
    for age, name in enumerate((newer, older, ours)):
        (tmp_path / name).write_bytes(b"12345")
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    forget_files(tmp_path, [ours], most_bytes=15)
    assert {path.name for path in tmp_path.iterdir()} == {ours, older, newer}
    forget_files(tmp_path, [ours], most_bytes=10)
    assert {path.name for path in tmp_path.iterdir()} == {ours, newer}
