"""Who may do what, by tokens, by the site that sent the request, and by the name it was sent to."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api import access, problems
from dashboard import sign_in
from dashboard.app import create_app
from elute.settings import Settings

Client = Callable[..., FlaskClient]
TOKEN = "0123456789abcdef" * 2


@pytest.fixture
def client() -> Client:
    """A client of a small app with these settings."""

    def make(**variables: str) -> FlaskClient:
        app = Flask(__name__, static_folder=None)
        problems.init_app(app)
        app.config["SETTINGS"] = Settings.from_environment(variables)
        access.init_app(app)
        app.add_url_rule("/read", view_func=_read, endpoint="read")
        app.add_url_rule("/open", view_func=access.open_to_all(_open), endpoint="open")
        trigger = access.changes(_done)
        app.add_url_rule("/trigger", view_func=trigger, endpoint="trigger")
        form = access.open_to_all(lambda: "sign in")
        app.add_url_rule("/sign-in", view_func=form, endpoint="sign_in.sign_in_form")
        app.config["SIGN_IN_ENDPOINT"] = "sign_in.sign_in_form"
        app.add_url_rule("/write", view_func=_write, endpoint="write", methods=["POST"])
        return app.test_client()

    return make


def _read() -> str:
    return "read"


def _open() -> str:
    return "open"


def _done() -> str:
    return "done"


def _write() -> str:
    return "written"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_without_a_token_everything_is_allowed_on_this_machine(client: Client) -> None:
    local = client()
    assert local.get("/read").status_code == 200
    assert local.get("/trigger").status_code == 200
    assert local.post("/write").status_code == 200


def test_what_changes_something_needs_the_token(client: Client) -> None:
    guarded = client(ELUTE_TOKEN="right-one")
    assert guarded.get("/read").status_code == 200
    for path, method in (("/trigger", "GET"), ("/write", "POST")):
        refused = guarded.open(path, method=method)
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"].startswith("Bearer")
        assert "ELUTE_TOKEN" in refused.text
        wrong = guarded.open(path, method=method, headers=bearer("wrong-one"))
        assert wrong.status_code == 401
        assert "not the right one" in wrong.text
        assert "wrong-one" not in wrong.text
        assert guarded.open(path, method=method, headers=bearer("right-one")).status_code == 200
        assert guarded.open(path, method=method, headers=bearer("né")).status_code == 401


def test_reading_needs_one_of_the_tokens_if_there_is_one_for_it(client: Client) -> None:
    guarded = client(ELUTE_TOKEN="write", ELUTE_READ_TOKEN="read")
    assert guarded.get("/read").status_code == 401
    assert guarded.get("/nowhere").status_code == 401
    assert guarded.get("/open").status_code == 200
    assert guarded.get("/read", headers=bearer("read")).status_code == 200
    assert guarded.get("/read", headers=bearer("write")).status_code == 200
    reader = guarded.post("/write", headers=bearer("read"))
    assert (reader.status_code, reader.get_json()["title"]) == (401, "Only for reading")
    # Who may not read may not change anything either.
    assert client(ELUTE_READ_TOKEN="read").post("/write").status_code == 401


def test_the_cookie_counts_only_on_our_own_pages(client: Client) -> None:
    guarded = client(ELUTE_TOKEN="write")
    guarded.set_cookie(access.COOKIE, "write")
    assert guarded.post("/write").status_code == 200
    assert guarded.post("/write", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200
    assert guarded.post("/write", headers={"Sec-Fetch-Site": "same-site"}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Sec-Purpose": "prefetch;prerender"},
    ],
)
def test_what_another_site_sends_changes_nothing(client: Client, headers: dict[str, str]) -> None:
    local = client()
    for response in (
        local.get("/trigger", headers=headers),
        local.post("/write", headers=headers),
    ):
        assert response.status_code == 403
        assert response.content_type == "application/problem+json"
    assert local.get("/read", headers=headers).status_code == 200


@pytest.mark.parametrize("host", ["localhost:5000", "my_host:5000", "localhost/x"])
def test_a_page_that_hides_where_it_is_changes_nothing(client: Client, host: str) -> None:
    for app in (client(), client(ELUTE_TOKEN="secret")):
        headers = {"Host": host, "Origin": "null", **bearer("secret")}
        assert app.post("/write", headers=headers).status_code == 403


def test_our_own_pages_may_change_something(client: Client) -> None:
    local = client()
    for headers in (
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"},
        {"Origin": "http://localhost"},
    ):
        assert local.post("/write", headers=headers).status_code == 200


def test_a_browser_may_ask_what_it_may_ask(client: Client) -> None:
    asked = {"Origin": "http://a.example", "Access-Control-Request-Method": "POST"}
    guarded = client(ELUTE_TOKEN="right", ELUTE_READ_TOKEN="right")
    for path in ("/read", "/trigger", "/write"):
        assert guarded.options(path, headers=asked).status_code == 200


def test_a_picture_on_another_site_triggers_nothing(client: Client) -> None:
    local = client()
    for page in ("http://evil.example/x.html", "http://localhost.evil.example/", "http://evil"):
        assert local.get("/trigger", headers={"Referer": page}).status_code == 403
        assert local.get("/read", headers={"Referer": page}).status_code == 200
    assert local.get("/trigger", headers={"Referer": "http://localhost/runs/1"}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "localhost:5000",
        "127.0.0.1:5000",
        "127.1.2.3",
        "[::1]:5000",
        "10.0.0.1",
        "api:5000",
        "API",
        "lab-pc.local:5000",
    ],
)
@pytest.mark.parametrize("listens_on", ["127.0.0.1", "0.0.0.0"])
def test_this_machine_answers_to_its_names(client: Client, host: str, listens_on: str) -> None:
    local = client(ELUTE_HOST=listens_on)
    assert local.get("/read", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:5000", "[", "evil.", "evil.example.local"]
)
@pytest.mark.parametrize("listens_on", ["127.0.0.1", "0.0.0.0", "::"])
def test_a_name_that_points_here_from_elsewhere_is_refused(
    client: Client, host: str, listens_on: str
) -> None:
    local = client(ELUTE_HOST=listens_on, ELUTE_INSECURE="1")
    assert local.get("/read", headers={"Host": host}).status_code in (400, 403)
    for token in ("ELUTE_TOKEN", "ELUTE_READ_TOKEN"):
        guarded = client(**{token: "right"}, ELUTE_HOST=listens_on)
        named = guarded.get("/read", headers={"Host": "lab.example", **bearer("right")})
        assert named.status_code == 200


def test_a_name_from_elsewhere_reads_nothing_without_the_token_on_this_machine(
    client: Client,
) -> None:
    named = {"Host": "evil.example"}
    assert client(ELUTE_TOKEN="right").get("/read", headers=named).status_code == 403
    # Where others reach it, it has names that it does not know.
    for elsewhere in ({"ELUTE_HOST": "0.0.0.0"}, {"ELUTE_TRUSTED_PROXIES": "1"}):
        other = client(ELUTE_TOKEN="right", **elsewhere)
        assert other.get("/read", headers=named).status_code == 200


def test_a_site_that_may_read_changes_something_only_with_the_token(client: Client) -> None:
    page = {"Origin": "https://a.example", "Sec-Fetch-Site": "cross-site"}
    origins = {"ELUTE_CORS_ORIGINS": "https://a.example"}
    local, guarded = client(**origins), client(**origins, ELUTE_TOKEN="right")
    assert local.post("/write", headers={**page, "Authorization": "x"}).status_code == 403
    assert guarded.post("/write", headers={**page, "Authorization": "x"}).status_code == 401
    assert guarded.post("/write", headers={**page, **bearer("right")}).status_code == 200


def test_the_name_it_listens_on_is_its_own(client: Client) -> None:
    local = client(ELUTE_HOST="Elute.Lab.example")
    assert local.get("/read", headers={"Host": "elute.lab.example:5000"}).status_code == 200


def test_a_person_is_asked_to_sign_in(client: Client) -> None:
    guarded = client(ELUTE_READ_TOKEN="right")
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    asked = guarded.get("/read?limit=5", headers=browser)
    assert asked.status_code == 303
    assert asked.headers["Location"] == "/sign-in?next=/read?limit%3D5"
    assert guarded.get("/read", headers={**browser, **bearer("right")}).status_code == 200
    for refused in (
        guarded.get("/read", headers={"Accept": "*/*"}),
        guarded.get("/read", headers={**browser, "Sec-Fetch-Mode": "cors"}),
        guarded.get("/trigger", headers=browser),
        guarded.post("/write", headers=browser),
    ):
        assert refused.status_code == 401


def test_below_a_prefix_the_cookie_is_sent_to_what_is_below_it_alone(tmp_path: Path) -> None:
    settings = Settings.from_environment({"ELUTE_HOME": str(tmp_path)})
    app = create_app(replace(settings, tokens={TOKEN: ""}, trusted_proxies=1))
    behind = {"X-Forwarded-For": "10.0.0.9", "X-Forwarded-Prefix": "/elute"}
    signed_in = app.test_client().post("/sign-in", data={"token": TOKEN}, headers=behind)
    assert "Path=/elute" in signed_in.headers["Set-Cookie"]
    signed_out = app.test_client().post("/sign-out", headers=behind)
    assert "Path=/elute" in signed_out.headers["Set-Cookie"]


def test_what_some_pages_may_read_is_kept_for_them_alone(tmp_path: Path) -> None:
    settings = Settings.from_environment({"ELUTE_HOME": str(tmp_path)})
    app = create_app(replace(settings, cors_origins=("https://a.example",)))
    for origin in ("https://a.example", "https://b.example", None):
        answer = app.test_client().get("/health/live", headers={"Origin": origin} if origin else {})
        assert "Origin" in answer.vary


@pytest.mark.parametrize(
    "target",
    [
        "//[",
        "http://evil.example/",
        "//evil.example",
        "/\\evil",
        "/x\r\nSet-Cookie:a=b",
        "/\t/evil",
    ],
)
def test_signing_in_leads_to_our_own_pages_only(target: str) -> None:
    app = Flask(__name__, static_folder=None)
    app.config["SETTINGS"] = Settings.from_environment({})
    app.register_blueprint(sign_in.blueprint)
    answer = app.test_client().get("/sign-in", query_string={"next": target})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
