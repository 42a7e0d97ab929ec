"""Which changes of a project count."""

from collections.abc import Callable
from pathlib import Path

import pytest
from dbt_warm.fingerprint import project_fingerprint


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
    before = project_fingerprint(folder)
    change(folder)
    assert project_fingerprint(folder) != before


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: write(folder / "target/compiled/b.sql"),
        lambda folder: write(folder / "models/.b.sql.swp"),
        lambda folder: (folder / "seeds/a.csv").write_text("other,records"),
    ],
)
def test_it_stays_with_all_else(folder: Path, change: Callable[[Path], object]) -> None:
    before = project_fingerprint(folder, folder / "missing.yml")
    change(folder)
    assert project_fingerprint(folder, folder / "missing.yml") == before
