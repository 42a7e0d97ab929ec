"""Who may come in from other machines."""

import socket

import pytest

from elute.serve.exposure import require_token_if_exposed, warn_if_exposed
from elute.serve.lock import ServeError, listen
from elute.settings import Settings

LONG = "0123456789abcdef"


def settings(**variables: str) -> Settings:
    return Settings.from_environment({"ELUTE_HOST": "0.0.0.0", **variables})


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "there is no ELUTE_TOKEN that would keep them from"),
        ({"ELUTE_READ_TOKEN": LONG}, "keep those who may read"),
        ({"ELUTE_TOKEN": "x"}, "ELUTE_TOKEN can be guessed"),
        ({"ELUTE_TOKEN": f"anna:{LONG} ben:x"}, "ELUTE_TOKEN can be guessed"),
        ({"ELUTE_TOKEN": LONG, "ELUTE_READ_TOKEN": "x"}, "ELUTE_READ_TOKEN can be guessed"),
    ],
)
def test_what_lets_others_in_is_refused(
    variables: dict[str, str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ServeError, match=said):
        require_token_if_exposed(settings(**variables))
    insecure = settings(**variables, ELUTE_INSECURE="1")
    require_token_if_exposed(insecure)
    warn_if_exposed(insecure)
    assert said in capsys.readouterr().err
    require_token_if_exposed(settings(**variables, ELUTE_HOST="127.0.0.1"))


def test_open_reading_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    require_token_if_exposed(settings(ELUTE_TOKEN=LONG))
    warn_if_exposed(settings(ELUTE_TOKEN=LONG))
    assert "can read: ELUTE_READ_TOKEN is not set" in capsys.readouterr().err
    warn_if_exposed(settings(ELUTE_TOKEN=LONG, ELUTE_READ_TOKEN=LONG))
    warn_if_exposed(settings(ELUTE_HOST="localhost"))
    assert capsys.readouterr().err == ""


def test_a_port_is_taken_on_both_addresses_of_this_machine_or_on_none() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as free,
        socket.create_server(("::1", free.getsockname()[1]), family=socket.AF_INET6) as other,
    ):
        free.close()
        port = str(other.getsockname()[1])
        with pytest.raises(ServeError, match=f"Port {port} on ::1 is taken"):
            listen(settings(ELUTE_HOST="127.0.0.1", ELUTE_PORT=port))
