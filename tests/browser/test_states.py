"""What pages say when they cannot show results: nothing built, no database, no token."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, expect
from psycopg2 import sql
from werkzeug.serving import make_server

from dashboard.app import create_app
from elute.database import schema
from elute.settings import Settings
from tests.browser.conftest import Open, Site, is_ready
from tests.integration.web.publishing import published


@contextmanager
def without_builds(site: Site) -> Iterator[None]:
    """As before the first build, until there is one."""
    site.execute("alter schema builds rename to builds_away")
    try:
        schema.upgrade({**os.environ, "PGDATABASE": site.connection["dbname"]})
        yield
    except BaseException:
        site.execute("drop schema if exists builds cascade")
        site.execute("alter schema builds_away rename to builds")
        raise
    site.execute("drop schema builds_away cascade")  # The views show the new tables by now.


@contextmanager
def out_of_reach(site: Site) -> Iterator[None]:
    """The database refuses everybody, and has thrown out who was there."""
    name = site.connection["dbname"]
    elsewhere = {**site.connection, "dbname": "template1"}
    allow = sql.SQL("alter database {} with allow_connections {}")
    site.execute(allow.format(sql.Identifier(name), sql.Literal(False)), elsewhere)
    site.execute(
        sql.SQL("select pg_terminate_backend(pid) from pg_stat_activity where datname = {}").format(
            sql.Literal(name)
        ),
        elsewhere,
    )
    try:
        yield
    finally:
        site.execute(allow.format(sql.Identifier(name), sql.Literal(True)), elsewhere)


def test_before_the_first_build_pages_offer_one(site: Site, open_page: Open) -> None:
    with without_builds(site):
        for path in ("/", "/compare", "/quality", "/users/1"):
            page = open_page(path, expected=("503",))
            state = page.locator("#state")
            expect(state).to_contain_text("No results yet")
            expect(page.locator("#content")).to_be_hidden()
        page.locator("#state").get_by_role("button", name="Build now").click()
        expect(page.locator("#outcome")).to_contain_text("is done")
        expect(page.locator("#content")).to_be_visible()
        expect(state).to_be_hidden()
        page = is_ready(open_page("/compare"))
        expect(page.locator("#comparison")).to_contain_text("There is no earlier build")
        page.get_by_role("link", name="Results").click()
        expect(is_ready(page).locator("#since, .trend *")).to_have_text([""])


def test_a_mart_without_rows_is_no_error(site: Site, open_page: Open) -> None:
    with site.owner() as owner, published(owner, "delete from {}", mart="data_issues", key=""):
        page = is_ready(open_page("/quality"))
        expect(page.locator("#reasons")).to_contain_text("Nothing was left out")
        expect(page.locator("#records")).to_be_hidden()


def test_without_a_database_the_page_says_so_and_comes_back(site: Site, open_page: Open) -> None:
    page = is_ready(open_page("/quality", expected=("503",)))
    with out_of_reach(site):
        expect(page.locator("#trouble")).to_contain_text("The database cannot be reached")
        expect(page.locator("#inputs .card")).to_have_count(3)
        other = open_page("/")
        expect(other.locator("#state")).to_contain_text("No database")
    expect(page.locator("#trouble")).to_be_empty()
    is_ready(other)


@pytest.fixture
def locked(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Another web app on the same database, with tokens."""
    monkeypatch.setenv("PGDATABASE", site.connection["dbname"])
    variables = {"ELUTE_TOKEN": "changes", "ELUTE_READ_TOKEN": "reads"}
    app = create_app(Settings.from_environment({**os.environ, **variables}))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def sign_in(page: Page, token: str) -> None:
    page.get_by_label("Token").fill(token)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()


def test_a_token_is_asked_for_checked_and_forgotten(locked: str, open_page: Open) -> None:
    page = open_page("/quality?problem=ilike.*user*", address=locked, expected=("401",))
    expect(page.locator("#state")).to_contain_text("Sign in to see this")
    page.locator("#state").get_by_role("link", name="Sign in").click()
    sign_in(page, "guessed")
    expect(page.locator("#wrong")).to_contain_text("That is not the token.")
    sign_in(page, "reads")
    expect(page).to_have_url(f"{locked}/quality?problem=ilike.*user*")
    expect(page.locator("#issues-status")).to_have_text("1 to 1 of 1 problem")
    [cookie] = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["expires"]) == (True, "Strict", -1)
    page.get_by_role("button", name="Build now").click()
    expect(page.locator("#outcome")).to_contain_text("may only read")
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("#state")).to_contain_text("Sign in to see this")
    assert page.context.cookies() == []


@pytest.mark.parametrize("target", ["https://example.com/", "//example.com", "/\\example.com"])
def test_signing_in_leads_nowhere_else(locked: str, open_page: Open, target: str) -> None:
    page = open_page(f"/sign-in?next={target}", address=locked, expected=("401",))
    sign_in(page, "changes")
    expect(page).to_have_url(f"{locked}/")
    is_ready(page)
