"""A browser, and a real `elute serve` to look at with it."""

import os
import shutil
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psycopg2
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from psycopg2 import sql

from api.settings import CHECKOUT
from tests.conftest import COMMAND

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SAMPLE = {path.name: path.read_bytes() for path in (CHECKOUT / "seeds").glob("*.csv")}
NARROW = {"width": 390, "height": 844}
# A run that meets this lock waits, so that there is time to look at it.
LOCK = "lock table intermediate.int_user_summary in access exclusive mode"
expect.set_options(timeout=20_000)


class Site(NamedTuple):
    """A running Elute: where it listens and has its files, its database, process and settings."""

    address: str
    files: Path
    connection: dict[str, Any]
    process: int
    environment: dict[str, str]

    def execute(
        self, statement: str | sql.Composable, connection: dict[str, Any] | None = None
    ) -> None:
        """Change something in its database behind its back."""
        with closing(psycopg2.connect(**(connection or self.connection))) as session:
            session.autocommit = True
            session.cursor().execute(statement)


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="session")
def site(
    connection_parameters: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """`elute serve` on the sample files and a database of its own, after its first build."""
    name = f"elute_browser_{os.getpid()}"
    home = tmp_path_factory.mktemp("site")
    files, port = home / "files", free_port()
    files.mkdir()
    for file, content in SAMPLE.items():
        (files / file).write_bytes(content)
    environment = {
        **os.environ,
        "PYTHONPATH": str(CHECKOUT),
        "PGDATABASE": name,
        "ELUTE_HOME": str(home),
        "ELUTE_SEEDS_DIR": str(files),
        "ELUTE_PORT": str(port),
    }
    with closing(psycopg2.connect(**connection_parameters)) as session:
        session.autocommit = True
        session.cursor().execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        with serving(environment) as process:
            address = f"http://127.0.0.1:{port}"
            build(address)
            connection = {**connection_parameters, "dbname": name}
            yield Site(address, files, connection, process, environment)
        session.cursor().execute(
            sql.SQL("drop database {} with (force)").format(sql.Identifier(name))
        )


def build(address: str) -> None:
    """Build, and wait for it."""
    request = urllib.request.Request(f"{address}/trigger-etl?wait=90", method="POST")
    with urllib.request.urlopen(request, timeout=100) as response:
        assert response.status == 200


class serving:  # noqa: N801
    """`elute serve` from when it says where it is until it has stopped."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment

    def __enter__(self) -> int:
        self._process = subprocess.Popen(
            [*COMMAND, "serve"],
            cwd="/",
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._process.stdout
        limit = threading.Timer(90, self._process.kill)
        limit.start()
        said = []
        for line in self._process.stdout:
            said.append(line)
            if "http://" in line:
                break
        else:
            pytest.fail(f"elute serve did not come up: {''.join(said)}")
        limit.cancel()
        # Read on, so that it never waits for us.
        self._reader = threading.Thread(target=self._process.stdout.read, daemon=True)
        self._reader.start()
        return self._process.pid

    def __exit__(self, *_error: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)
        self._reader.join()
        if self._process.stdout:
            self._process.stdout.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium."""
    if not Path(CHROMIUM).exists() and not shutil.which("chromium"):
        pytest.skip("there is no Chromium on this machine: apt-get install chromium")
    path = CHROMIUM if Path(CHROMIUM).exists() else shutil.which("chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


Open = Callable[..., Page]


@pytest.fixture
def open_page(site: Site, browser: Browser) -> Iterator[Open]:
    """Open a page of the site in a browser that has never been there.

    When the test is over, nothing must be in any console, and no request must have left the
    machine. `expected` has words of console messages that a test brings about on purpose.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []
    allowed: list[str] = []

    def note(text: str) -> None:
        if not any(words in text for words in allowed):
            complaints.append(text)

    def open_(
        path: str = "/",
        *,
        address: str = site.address,
        expected: tuple[str, ...] = (),
        **options: Any,
    ) -> Page:
        allowed.extend(expected)
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: note(f"console: {message.text} {message.location}"))
        page.on("pageerror", lambda error: note(f"error: {error}"))
        context.on("request", lambda request: note_request(request.url))
        page.goto(address + path)
        return page

    def note_request(url: str) -> None:
        if urlsplit(url).hostname not in ("127.0.0.1", None):
            complaints.append(f"a request left the machine: {url}")

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []


@contextmanager
def held_up(site: Site) -> Iterator[None]:
    """Hold up every build before it publishes."""
    session = psycopg2.connect(**site.connection)
    session.cursor().execute(LOCK)
    try:
        yield
    finally:
        session.close()


def is_ready(page: Page) -> Page:
    """The page once it shows what it is for."""
    expect(page.locator("#content")).to_be_visible()
    expect(page.locator("#waiting")).to_be_hidden()
    return page
