"""What goes wrong with Elute's own server names the setting that helps."""

import os
import socket
import struct
from pathlib import Path
from threading import Thread

import pytest

from elute.database.own_server import own_server
from elute.database.sessions import connect
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


def test_who_listens_on_its_port_in_its_place_is_not_told_the_password() -> None:
    heard = []

    def ask_for_it(listener: socket.socket) -> None:
        client, _ = listener.accept()
        with client:
            while struct.unpack("!II", client.recv(8))[1] >> 16 == 1234:
                client.sendall(b"N")  # neither TLS nor GSSAPI
            client.recv(1000)
            client.sendall(b"R" + struct.pack("!II", 8, 3))  # the password as it is
            heard.append(client.recv(1000))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=ask_for_it, args=[listener])
        thread.start()
        with pytest.raises(ServerError, match="scram-sha-256"):
            connect(
                {
                    "PGHOST": "127.0.0.1",
                    "PGPORT": str(listener.getsockname()[1]),
                    "PGUSER": "postgres",
                    "PGPASSWORD": "secret",
                    "PGDATABASE": "postgres",
                    "PGREQUIREAUTH": "scram-sha-256",
                }
            )
        thread.join()
    assert heard == [b""]
