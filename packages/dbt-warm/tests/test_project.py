"""Which changes of a project count."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from dbt_warm.project import look_at


def write(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("text", encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("models/logs/a.sql", "seeds/a.csv", "target/run/a.sql", "dbt_project.yml"):
        write(tmp_path / name)
    return tmp_path


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: write(folder / "models/b.sql"),
        lambda folder: (folder / "models/logs/a.sql").write_text("longer text"),
        lambda folder: (folder / "dbt_project.yml").unlink(),
        lambda folder: (folder / "seeds/a.csv").rename(folder / "seeds/b.csv"),
    ],
)
def test_it_changes_with_what_dbt_parses(folder: Path, change: Callable[[Path], object]) -> None:
    before = look_at(folder).files
    change(folder)
    assert look_at(folder).files != before


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: write(folder / "target/compiled/b.sql"),
        lambda folder: write(folder / "models/.b.sql.swp"),
        lambda folder: (folder / "seeds/a.csv").write_text("other,records"),
    ],
)
def test_it_stays_with_all_else(folder: Path, change: Callable[[Path], object]) -> None:
    before = look_at(folder, folder / "missing.yml").files
    change(folder)
    assert look_at(folder, folder / "missing.yml").files == before


def test_a_file_that_comes_and_goes_is_seen_by_its_folder(folder: Path) -> None:
    os.utime(folder / "models", (0, 0))
    before = look_at(folder)
    write(folder / "models/b.sql")
    (folder / "models/b.sql").unlink()
    after = look_at(folder)
    assert (after.files == before.files, after.folders == before.folders) == (True, False)
