"""The file between a fast writer and a slow reader."""

from pathlib import Path

import pytest

from api.web import disk
from api.web.marts.spool import Spool
from api.web.problems import Problem


def test_what_broke_off_has_no_size(tmp_path: Path) -> None:
    spool = Spool(tmp_path, b"[", b",\n", b"]")
    assert spool.size is None
    spool.write(b"1\n2\n")
    spool.finish(ValueError("broken"))
    assert spool.size is None
    with pytest.raises(ValueError, match="broken"):
        spool.wait(0)
    spool.leave()


def test_a_whole_one_has(tmp_path: Path) -> None:
    spool = Spool(tmp_path, b"[", b",\n", b"]")
    spool.write(b"1\n2\n")
    spool.finish()
    assert spool.size == len(b"[1,\n2]")
    assert b"".join(spool.blocks(0.1, lambda: None)) == b"[1,\n2]"
    spool.leave()


def test_it_leaves_some_of_the_disk_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path)
    monkeypatch.setattr(disk, "RESERVE", 1 << 60)
    with pytest.raises(Problem) as raised:
        spool.write(b"1\n")
    assert raised.value.status == 507
    spool.finish(raised.value)
    spool.leave()
