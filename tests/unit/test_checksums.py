"""A file is read again whenever it may have changed, and only then."""

import hashlib
import os
from pathlib import Path

import pytest

from elute import checksums


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were read, in order."""
    found: list[Path] = []
    read = checksums._read

    def noted(path: Path) -> str:
        found.append(path)
        return read(path)

    monkeypatch.setattr(checksums, "_read", noted)
    return found


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(checksums, "time", clock)
    return clock


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_file_that_stays_is_not_read_again(
    tmp_path: Path, reads: list[Path], clock: Clock
) -> None:
    path = tmp_path / "users.csv"
    path.write_bytes(b"a")
    for _ in range(3):
        assert checksums.sha256_of(path) == digest(b"a")
        clock.now += 3
    assert len(reads) == 2  # The first time it might have been about to change.


def test_a_change_that_shows_in_no_time_is_seen(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "users.csv"
    monkeypatch.setattr(checksums, "_state", lambda _path: (0,))  # of a coarse file system
    for content in (b"a", b"b", b"c"):
        path.write_bytes(content)
        assert checksums.sha256_of(path) == digest(content)
        clock.now += 0.9


def test_a_change_whose_time_and_size_were_set_back_is_seen(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "users.csv"
    path.write_bytes(b"a")
    os.utime(path, (1, 1))
    for _ in range(2):
        assert checksums.sha256_of(path) == digest(b"a")
        clock.now += 3
    other = tmp_path / "other.csv"
    other.write_bytes(b"b")
    os.utime(other, (1, 1))
    other.replace(path)
    assert checksums.sha256_of(path) == digest(b"b")


def test_a_file_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert checksums.sha256_of(tmp_path / "users.csv") is None
