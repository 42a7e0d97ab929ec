"""What the service writes down."""

import json
import logging
from pathlib import Path

import pytest
from flask import Flask

from api import access_log, measuring, problems
from elute import logs
from elute.settings import Settings


@pytest.fixture
def app(tmp_path: Path, request: pytest.FixtureRequest) -> Flask:
    """A small app that writes its log in a format, into a home of its own."""
    settings = Settings.from_environment(
        {
            "ELUTE_HOME": str(tmp_path),
            "ELUTE_LOG_FORMAT": request.param,
            "ELUTE_TOKEN": 'top"secret',
            "PGPASSWORD": "hunter22",
        }
    )
    logs.configure(settings, request_id=access_log.request_id)
    app = Flask(__name__, static_folder=None)
    measuring.init_app(app)
    problems.init_app(app)
    access_log.init_app(app, settings)

    @app.get("/fails")
    def fails() -> str:
        raise RuntimeError('password=hunter22 token=top"secret')

    return app


@pytest.mark.parametrize("app", ["json"], indirect=True)
def test_each_request_is_a_json_line(app: Flask, tmp_path: Path) -> None:
    app.test_client().get("/no%0Athing?a=b", headers={"User-Agent": "curl", "X-Request-Id": "7"})
    [line] = (tmp_path / "logs" / "web.log").read_text(encoding="utf-8").splitlines()
    entry = json.loads(line)
    assert (entry["method"], entry["path"], entry["status"]) == ("GET", "/no\nthing", 404)
    assert (entry["level"], entry["user_agent"]) == ("info", "curl")
    assert (entry["milliseconds"] >= 0, entry["request_id"]) == (True, "7")


@pytest.mark.parametrize("app", ["json", "text"], indirect=True)
def test_secrets_are_blotted_out(
    app: Flask, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    response = app.test_client().get("/fails?token=top%22secret")
    assert response.status_code == 500
    request_id = response.headers["X-Request-Id"]
    assert response.get_json()["request_id"] == request_id
    assert "hunter22" not in response.text
    written = (tmp_path / "logs" / "web.log").read_text(encoding="utf-8")
    assert "RuntimeError" in written
    assert request_id in written
    assert "hunter22" not in written
    assert "secret" not in written


@pytest.mark.parametrize("app", ["text"], indirect=True)
def test_requests_are_not_listed_for_a_person(app: Flask, tmp_path: Path) -> None:
    app.test_client().get("/nothing")
    assert (tmp_path / "logs" / "web.log").read_text(encoding="utf-8") == ""


def test_a_home_that_cannot_be_written_keeps_nobody_from_serving(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("no folder")
    logs.configure(Settings.from_environment({"ELUTE_HOME": str(tmp_path)}))
    assert len(logging.getLogger("elute").handlers) == 1


def test_what_goes_wrong_in_a_terminal_is_written_without_secrets(tmp_path: Path) -> None:
    settings = Settings.from_environment({"ELUTE_HOME": str(tmp_path), "PGPASSWORD": "hunter22"})
    path = logs.write(settings, "It broke.", RuntimeError("password=hunter22"))
    written = path.read_text(encoding="utf-8")
    assert "It broke." in written
    assert "RuntimeError: password=***" in written
