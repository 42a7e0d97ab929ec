"""A browser, and a real `elute serve` to look at with it."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright
from psycopg2 import sql

from elute.database.sessions import Session
from tests.conftest import own_database
from tests.service import Service, until

# Without the parts that only a window needs, it takes two fifths of the processor's time.
PROGRAMS = ("chromium-headless-shell", "chromium")
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
WIDE = ViewportSize(width=1280, height=800)
NARROW = ViewportSize(width=390, height=844)
# A run that meets this lock waits, so that there is time to look at it.
LOCK = "lock table intermediate.int_compounds_validated in access exclusive mode"
STEP = re.compile("^(loading|making|checking) ")  # what the head says of one
# What benchmarks.dashboard measures, too: from a click, or a key, to the rows; and the whole page.
MILLISECONDS_UNTIL = """([action, target]) => new Promise((resolve) => {
  const rows = document.querySelector("#users tbody");
  const begun = performance.now();
  new MutationObserver((_changes, observer) => {
    observer.disconnect();
    resolve(performance.now() - begun);
  }).observe(rows, { childList: true });
  const element = document.querySelector(target);
  if (action === "click") return element.click();
  element.value = action;
  element.dispatchEvent(new Event("input"));
})"""
MILLISECONDS_UNTIL_READY = """() => new Promise((resolve) => {
  new PerformanceObserver((marks) => resolve(marks.getEntriesByName("elute:ready")[0].startTime))
    .observe({ type: "mark", buffered: true });
})"""
expect.set_options(timeout=20_000)


class Site(Service):
    """A running Elute with a database of its own on the tests' server.

    Attributes:
        connection: arguments for `psycopg2.connect` to that database.
    """

    def __init__(self, home: Path, connection: dict[str, Any]) -> None:
        self.connection = connection
        super().__init__(home, {**os.environ, "PGDATABASE": connection["dbname"]})

    def build(self) -> None:
        """Build, and wait for it."""
        assert self.ask("POST", "/trigger-etl?wait=90&force=1").status == 200

    def earlier_build(self, steps: int = 1) -> int:
        """The number of the build so many before the published one."""
        number: int = self.ask("GET", f"/builds?limit={steps + 1}").json["builds"][steps]["build"]
        return number

    def change(self) -> None:
        """Give a file one more blank line: the same records, and something to build."""
        with (self.files / "compounds.csv").open("ab") as file:
            file.write(b"\n")

    def execute(
        self, statement: str | sql.Composable, connection: dict[str, Any] | None = None
    ) -> None:
        """Change something in its database behind its back."""
        with self.owner(connection) as session:
            session.cursor().execute(statement)

    @contextmanager
    def owner(self, connection: dict[str, Any] | None = None) -> Iterator[Session]:
        """A session that may do what a build does."""
        with closing(psycopg2.connect(**(connection or self.connection))) as session:
            session.autocommit = True
            yield session


@pytest.fixture(scope="session")
def site(
    connection_parameters: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """`elute serve` on the sample files, after its first build."""
    with own_database(connection_parameters, "browser") as parameters:
        site = Site(tmp_path_factory.mktemp("site"), parameters)
        try:
            site.build()
            until(lambda: site.ask("GET", "/docs/").status == 200)
            yield site
        finally:
            site.process.stop()


@pytest.fixture(scope="module", autouse=True)
def _sample(site: Site) -> None:
    """The files as they were, whatever another module has made of them."""
    site.write()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium."""
    path = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if path is None:
        pytest.skip("there is no Chromium on this machine: apt-get install chromium-headless-shell")
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
        context = browser.new_context(**{"viewport": WIDE, **options})
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
