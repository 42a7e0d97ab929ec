"""What goes wrong with Elute's own server names the setting that helps."""

import os
from pathlib import Path

import pytest

from elute.database.own_server import own_server
from elute.errors import ServerError
from elute.settings import Settings


def test_a_home_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = Settings.from_environment({"ELUTE_HOME": str(tmp_path / "file" / "home")})
    with pytest.raises(ServerError, match="Set ELUTE_HOME"), own_server(settings) as server:
        server.start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the server as somebody else")
@pytest.mark.parametrize(
    ("name", "message"), [("no-such-account", "no account no-such"), ("root", "refuses to run")]
)
def test_an_account_that_cannot_run_it_is_a_clear_error(
    tmp_path: Path, name: str, message: str
) -> None:
    settings = Settings.from_environment({"ELUTE_HOME": str(tmp_path), "ELUTE_POSTGRES_USER": name})
    with (
        pytest.raises(ServerError, match=f"{message}.*ELUTE_POSTGRES_USER.*PGHOST"),
        own_server(settings) as server,
    ):
        server.start()


def test_an_account_without_a_name_is_told_of_no_setting_that_is_for_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nameless = 2_000_000_000
    monkeypatch.setattr(os, "geteuid", lambda: nameless)
    settings = Settings.from_environment({"ELUTE_HOME": str(tmp_path)})
    with (
        pytest.raises(ServerError, match=f"user id {nameless} has none.*PGHOST") as raised,
        own_server(settings) as server,
    ):
        server.start()
    assert "ELUTE_POSTGRES_USER" not in str(raised.value)
