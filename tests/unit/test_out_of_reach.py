"""Files in a folder that this account may not look into: said of each, and no error of Elute's."""

import errno
from pathlib import Path

import pytest

from elute import inputs
from elute.commands import check
from elute.settings import Settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "stat", refuse)  # root may look into every folder
    return Settings.from_environment({"ELUTE_SEEDS_DIR": str(tmp_path / "files")})


def test_there_is_no_version_of_it(settings: Settings) -> None:
    assert inputs.version_of(settings, "users.csv") is None


def test_the_disk_is_looked_at_without_it(settings: Settings) -> None:
    assert check._size(settings.seeds_dir / "users.csv") == 0
