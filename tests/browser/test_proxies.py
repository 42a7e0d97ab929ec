"""The pages behind a real nginx, under a path, and read by a page of another site."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from elute.settings import CHECKOUT
from tests.browser.conftest import Open, Site, is_ready
from tests.service import fetch, free_port, until, web_app

NGINX = """
daemon off; pid {folder}/pid; error_log {folder}/error.log;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/other; uwsgi_temp_path {folder}/other; scgi_temp_path {folder}/other;
    proxy_http_version 1.1; proxy_buffering off;
    server {
        listen 127.0.0.1:{port};
        location / { proxy_pass http://127.0.0.1:{elute}; }
        location /lab/elute/ {
            proxy_pass http://127.0.0.1:{elute}/;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Host $http_host;
            proxy_set_header X-Forwarded-Prefix /lab/elute;
        }
    }
}
"""
PAGES = (
    "/",
    "/quality",
    "/tables",
    "/tables/user_summary",
    "/history",
    "/compare",
    "/files",
    "/api",
    "/users/4",
)
READ = """async ({ address, token }) => {
  const headers = { Prefer: "count=exact" };
  const read = await fetch(`${address}/marts/user_summary?limit=2`, { headers });
  const start = (headers) => fetch(`${address}/runs?force=1`, { method: "POST", headers })
    .then(({ status }) => status, (error) => String(error));
  const tokens = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
  return {
    rows: (await read.json()).length,
    range: read.headers.get("Content-Range"),
    etag: read.headers.get("ETag"),
    started: [await start({}), await start(tokens)],
  };
}"""


@contextmanager
def nginx(folder: Path, elute: int, configuration: str = NGINX) -> Iterator[str]:
    """A real nginx in front of Elute; its address."""
    if not shutil.which("nginx"):
        pytest.skip("there is no nginx on this machine: apt-get install nginx-light")
    port = free_port()
    file = folder / "nginx.conf"
    for name, value in (("folder", folder), ("port", port), ("elute", elute)):
        configuration = configuration.replace(f"{{{name}}}", str(value))
    file.write_text(configuration)
    with subprocess.Popen(["nginx", "-p", str(folder), "-c", str(file)]) as process:
        try:
            until(lambda: (folder / "pid").exists() and (folder / "pid").read_text())
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@pytest.fixture
def proxied(site: Site, tmp_path: Path) -> Iterator[str]:
    """The address of nginx in front of a web app that trusts it."""
    environment = {**site.environment, "ELUTE_TRUSTED_PROXIES": "1"}
    with web_app(environment) as elute, nginx(tmp_path, elute) as address:
        yield address


def links(page: Page) -> list[str]:
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('a[href], form[action], link[href], script[src], img[src]')]"
        ".map((found) => found.href || found.action || found.src)"
    )
    return found


def test_under_a_path_every_link_script_and_form_works(
    site: Site, proxied: str, open_page: Open
) -> None:
    found: set[str] = set()
    for path in PAGES:
        page = open_page(path, address=f"{proxied}/lab/elute")
        if path != "/api" and not path.startswith("/tables"):
            is_ready(page)
        found |= {link.partition("#")[0] for link in links(page)}
        if path in ("/", "/history"):
            page.get_by_role("link", name="Files").first.click()
            expect(page).to_have_url(f"{proxied}/lab/elute/files")
    assert {urlsplit(link).path.startswith("/lab/elute/") for link in found} == {True}
    assert len(found) > 40
    for link in found:
        assert page.request.get(link).ok or link.endswith("/sign-out"), link
    site.change()
    page = is_ready(open_page("/history", address=f"{proxied}/lab/elute"))
    page.get_by_role("button", name="Build now").click()
    expect(page.locator("#outcome")).to_contain_text("is done, in")
    page.locator("#outcome").get_by_role("link", name="See what was left out").click()
    expect(page).to_have_url(f"{proxied}/lab/elute/quality")
    described = page.request.get(f"{proxied}/lab/elute/openapi.json").json()
    assert described["servers"] == [{"url": "/lab/elute/"}]


def test_signing_in_under_a_path(site: Site, tmp_path: Path, open_page: Open) -> None:
    guarded = {"ELUTE_TRUSTED_PROXIES": "1", "ELUTE_READ_TOKEN": "secret"}
    with web_app({**site.environment, **guarded}) as elute, nginx(tmp_path, elute) as address:
        page = open_page("/quality", address=f"{address}/lab/elute", expected=("401",))
        page.get_by_role("link", name="Sign in").last.click()
        page.get_by_label("Token").fill("secret")
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_url(f"{address}/lab/elute/quality")
        is_ready(page)


def test_a_proxy_that_passes_no_name_on_is_told_the_cure(proxied: str, open_page: Open) -> None:
    page = is_ready(open_page("/history", address=proxied, expected=("403",)))
    answer = page.request.post(f"{proxied}/runs", headers={"Origin": proxied})
    assert answer.status == 403
    assert "proxy_set_header Host $http_host" in answer.json()["detail"]


class _Empty(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def another_site() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Empty)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_page_of_another_site_reads_and_starts_nothing_without_the_token(
    site: Site, browser: Browser
) -> None:
    with another_site() as origin:
        settings = {"ELUTE_CORS_ORIGINS": f"https://x.example {origin}", "ELUTE_TOKEN": "secret"}
        with web_app({**site.environment, **settings}) as elute:
            page = browser.new_page()
            page.goto(origin)
            wanted = {"address": f"http://127.0.0.1:{elute}", "token": "secret"}
            seen = page.evaluate(READ, wanted)
            assert (seen["rows"], seen["range"]) == (2, "0-1/14")
            assert seen["etag"]
            assert seen["started"] == [403, 202]
            page.close()
        until(lambda: site.ask("GET", "/runs?limit=1").json["runs"][0]["state"] == "succeeded")


def test_a_page_of_a_site_that_is_not_named_reads_nothing(site: Site, browser: Browser) -> None:
    with another_site() as origin, web_app(site.environment) as elute:
        page = browser.new_page()
        page.goto(origin)
        with pytest.raises(Exception, match="Failed to fetch"):
            page.evaluate(READ, {"address": f"http://127.0.0.1:{elute}", "token": ""})
        page.close()


def test_the_nginx_of_the_docs_stops_what_has_no_token(site: Site, tmp_path: Path) -> None:
    configuration = (CHECKOUT / "docs" / "nginx.conf").read_text(encoding="utf-8")
    for ours, other in (
        ("/tmp/elute-nginx.pid", "{folder}/pid"),
        ("/tmp/elute-nginx-", "{folder}/"),
        ("listen 8080", "listen 127.0.0.1:{port}"),
        ("server 127.0.0.1:5000", "server 127.0.0.1:{elute}"),
    ):
        assert ours in configuration
        configuration = configuration.replace(ours, other)
    (tmp_path / "elute-token").write_text('"Bearer secret" 1;\n"secret" 1;\n')
    guarded = {**site.environment, "ELUTE_TRUSTED_PROXIES": "1", "ELUTE_TOKEN": "secret"}
    with web_app(guarded) as elute, nginx(tmp_path, elute, configuration) as address:
        refused = fetch(f"{address}/inputs/none.csv", "PUT", b"x")
        assert (refused.status, refused.json["title"]) == (401, "No token")
        bearer = {"Authorization": "Bearer secret"}
        assert fetch(f"{address}/inputs/none.csv", "PUT", b"x", bearer).json["status"] == 404
        assert fetch(f"{address}/marts").status == 200
        # Whose token is to come is let through: Elute itself says that it is needed.
        assert b"<form" in fetch(f"{address}/sign-in", "POST", b"token=wrong").text
        under_a_path = fetch(f"{address}/lab/elute/sign-in", "POST", b"token=wrong")
        assert under_a_path.json["title"] == "Token needed"
