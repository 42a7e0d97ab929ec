"""Starting, following and cancelling builds, in one browser and in two."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from psycopg2 import sql

from tests.browser.conftest import STEP, Open, Site, held_up, is_ready
from tests.conftest import COMMAND, SAMPLE

WATCH_PROGRESS = """() => {
  window.steps = [];
  const bar = document.getElementById("progress-bar");
  new MutationObserver(() => window.steps.push(Number(bar.ariaValueNow)))
    .observe(bar, { attributes: true });
}"""

WATCH_WORDS = """() => {
  window.words = [];
  const node = document.getElementById("progress-node");
  new MutationObserver(() => window.words.push(node.textContent))
    .observe(node, { childList: true, characterData: true, subtree: true });
}"""


@pytest.fixture
def page(site: Site, open_page: Open) -> Page:
    """The page Runs, on which nothing waits for a mart; a file has changed."""
    site.change()
    return is_ready(open_page("/history"))


def test_a_build_shows_its_steps_and_how_it_ended(page: Page) -> None:
    page.evaluate(WATCH_PROGRESS)
    page.get_by_role("button", name="Build now").click()
    expect(page.get_by_role("progressbar", name="Progress of the build")).to_be_visible()
    outcome = page.locator("#outcome")
    expect(outcome).to_contain_text("is done, in")
    expect(outcome).to_contain_text("98 records read, 1 left out.")
    expect(outcome.get_by_role("link", name="See what was left out")).to_be_visible()
    expect(page.locator("#progress")).to_be_hidden()
    steps = [step for step in page.evaluate("window.steps") if step]
    assert len(set(steps)) > 5
    assert steps == sorted(steps)
    outcome.get_by_role("button", name="Close").click()
    expect(outcome).to_be_empty()


def test_where_nothing_has_changed_one_may_insist(page: Page) -> None:
    outcome = page.locator("#outcome")
    page.get_by_role("button", name="Build now").click()
    expect(outcome).to_contain_text("is done, in")
    page.get_by_role("button", name="Build now").click()
    expect(outcome).to_contain_text("Nothing has changed. Already current: build")
    outcome.get_by_role("button", name="Build all the same").click()
    expect(outcome).to_contain_text("is done, in")


def test_two_browsers_see_the_same_build_and_one_cancels_it(
    site: Site, page: Page, open_page: Open
) -> None:
    other = is_ready(open_page("/quality"))
    with held_up(site):
        page.get_by_role("button", name="Build now").click()
        for each in (page, other):
            expect(each.locator("#progress-node")).to_have_text(STEP)
            expect(each.locator("#progress-left")).not_to_be_empty()
        assert (
            other.locator("#progress-title").inner_text()
            == page.locator("#progress-title").inner_text()
        )
        expect(page.get_by_role("button", name="Build now")).to_have_attribute(
            "aria-disabled", "true"
        )
        other.get_by_role("button", name="Cancel").click()
        for each in (page, other):
            expect(each.locator("#outcome")).to_contain_text("was cancelled.")
    expect(page.locator("#runs tbody tr").first).to_contain_text("cancelled")
    expect(page.locator("#last-build")).to_contain_text("Last build cancelled")


def test_many_tabs_follow_one_build(site: Site, page: Page) -> None:
    with held_up(site):
        page.get_by_role("button", name="Build now").click()
        tabs = [page]
        for _ in range(8):  # A browser opens six connections to a host.
            tab = page.context.new_page()
            tab.goto(f"{site.address}/history")
            tabs.append(is_ready(tab))
        for tab in tabs:
            expect(tab.locator("#progress-node")).to_have_text(STEP)
            expect(tab.locator("#progress-steps")).not_to_be_empty()
        tabs.pop().close()
        tabs.pop(0).reload()
    for tab in tabs:
        expect(tab.locator("#outcome")).to_contain_text("is done, in")
    expect(is_ready(page).locator("#last-build")).to_contain_text("Published just now")


def test_a_lost_connection_is_found_again(site: Site, open_page: Open) -> None:
    site.change()
    page = is_ready(open_page("/history", expected=("ERR_", "Failed to load")))
    page.evaluate(WATCH_WORDS)
    with held_up(site):
        page.get_by_role("button", name="Build now").click()
        expect(page.locator("#progress-node")).to_have_text(STEP)
        kill_web_worker(site)
        expect(page.locator("#progress-node")).to_have_text(STEP)
    expect(page.locator("#outcome")).to_contain_text("is done")
    words = page.evaluate("window.words")
    assert any("the connection is lost" in each for each in words)


def kill_web_worker(site: Site) -> None:
    """End the process that answers, in the middle; another one is started."""
    [web] = site.pids_of("dashboard.server")
    os.kill(web, signal.SIGKILL)


def test_results_follow_a_build_in_a_terminal(site: Site, open_page: Open) -> None:
    page = is_ready(open_page("/"))
    expect(page.locator("#users-status")).to_have_text("1 to 14 of 14 users")
    users = SAMPLE["users.csv"] + b"15,Olga Petrova,olga@lab.example,2024-11-01\n"
    (site.files / "users.csv").write_bytes(users)
    try:
        with (
            subprocess.Popen(
                [*COMMAND, "build"], cwd="/", env=site.environment, stdout=subprocess.DEVNULL
            ),
            held_up(site),
        ):
            expect(page.locator("#progress-node")).to_have_text("goes on in a terminal")
            expect(page.get_by_role("button", name="Cancel")).to_be_hidden()
    finally:
        (site.files / "users.csv").write_bytes(SAMPLE["users.csv"])
    expect(page.locator("#outcome")).to_contain_text("is done")
    expect(page.locator("#users-status")).to_have_text("1 to 15 of 15 users")
    site.build()
    expect(page.locator("#users-status")).to_have_text("1 to 14 of 14 users")


def test_what_is_published_without_a_run_is_noticed(site: Site, open_page: Open) -> None:
    site.build()
    page = is_ready(open_page("/"))
    header = page.locator("#last-build time")
    expect(header).to_have_text("just now")
    before = header.get_attribute("datetime")
    assert site.ask("POST", f"/builds/{site.earlier_build()}/publish").status == 200
    expect(header).not_to_have_attribute("datetime", before or "")
    site.build()


def test_what_a_return_has_no_records_of_is_built_again(site: Site, open_page: Open) -> None:
    for _ in range(2):
        site.change()
        site.build()
    earlier = site.earlier_build(2)
    assert site.ask("POST", f"/builds/{earlier}/publish").status == 200
    page = open_page("/users/1", expected=("503",))
    state = page.locator("#state")
    expect(state).to_contain_text(f"What is published is build {earlier} again")
    state.get_by_role("button", name="Build it again").click()
    expect(is_ready(page).get_by_role("heading", name="Compounds")).to_be_visible()
    site.build()


@pytest.mark.parametrize(
    ("requested_by", "words"),
    [
        ("127.0.0.1, Mozilla/5.0", "the page"),
        ("anna, 10.1.2.3, Firefox/140", "the page, by anna"),
        ("127.0.0.1, curl/8.5.0", "a script on this machine"),
        ("ci, 10.1.2.3, python-requests/2.32", "a script, by ci"),
        ("ada, 127.0.0.1, curl/8.5.0", "a script on this machine, by ada"),
        ("a.b, fe80::1", "a script, by a.b"),
        ("127.0.0.1, anna", "a script on this machine"),
    ],
)
def test_who_asked_for_a_run_is_said_in_words(
    site: Site, open_page: Open, requested_by: str, words: str
) -> None:
    page = is_ready(open_page("/history"))
    run_id = page.locator("#runs tbody a").first.inner_text()
    site.execute(
        sql.SQL(
            "update elute.runs set trigger = 'http', requested_by = {} where run_id = {}"
        ).format(sql.Literal(requested_by), sql.Literal(int(run_id)))
    )
    page.reload()
    first = is_ready(page).locator("#runs tbody tr").first
    expect(first.locator("td").nth(2)).to_have_text(words)
    first.get_by_role("link").click()
    expect(page.locator("#run")).to_contain_text(f"{words} ({requested_by})")


def test_a_failure_names_the_file_and_the_line(site: Site, page: Page) -> None:
    (site.files / "users.csv").write_bytes(SAMPLE["users.csv"] + b"15,Olga,,,,\n")
    try:
        page.get_by_role("button", name="Build now").click()
        outcome = page.locator("#outcome")
        expect(outcome).to_contain_text("failed.")
        expect(outcome).to_contain_text("users.csv, line 16: 6 fields where 4 are expected")
        expect(outcome).to_contain_text("What was published before stays.")
        outcome.get_by_role("link", name="See this run").click()
        expect(page.locator("#run")).to_contain_text("users.csv, line 16")
        expect(page.locator("#log")).to_contain_text("line 16")
        expect(page.locator("#last-build")).to_contain_text("Published")
        expect(page.locator("#last-build a.bad")).to_have_text("Last build failed")
        expect(page.locator("#outcome")).to_be_empty()
        page.get_by_role("link", name="Results").click()  # Whoever opens it is told why.
        expect(outcome).to_contain_text("users.csv, line 16")
        expect(outcome.get_by_role("link", name="Go to Files")).to_be_visible()
    finally:
        (site.files / "users.csv").write_bytes(SAMPLE["users.csv"])


def test_the_page_of_a_run_has_its_steps_with_times_and_its_log(page: Page) -> None:
    page.locator("#runs tbody tr", has_text="succeeded").first.get_by_role("link").click()
    expect(page.locator("#run")).to_contain_text("is done, in")
    # Which says what its state is, and how long it took.
    facts = page.locator("#run dt")
    expect(facts.filter(has_text=re.compile("^(State|Took)$"))).to_have_count(0)
    expect(facts.filter(has_text="Asked by")).to_be_visible()
    row = page.locator("#nodes tbody tr", has_text="input_summary").first
    expect(row).to_contain_text("model")
    expect(row).to_contain_text("success")
    expect(row.locator("rect")).to_have_count(1)
    expect(page.locator("#log")).to_contain_text("model input_summary success")


def test_the_page_of_a_run_names_what_only_warned(site: Site, open_page: Open) -> None:
    site.build()
    [run] = site.ask("GET", "/runs?limit=1").json["runs"]
    banner = is_ready(open_page(f"/history/{run['run_id']}")).locator("#run .notice")
    expect(banner).to_contain_text("is done, in")
    expect(banner).not_to_contain_text("warning")
    site.execute("update elute.runs set warnings = '{assert_a,assert_b}' where state = 'succeeded'")
    banner = is_ready(open_page(f"/history/{run['run_id']}")).locator("#run .notice")
    expect(banner).to_contain_text("2 warnings: assert_a, assert_b.")
    site.execute("update elute.runs set warnings = '{}'")


def test_the_page_of_a_run_shows_its_end_whatever_was_asked_before(site: Site, page: Page) -> None:
    with (
        page.expect_event("requestfailed", lambda request: request.url.endswith("/log")),
        held_up(site),
    ):
        page.get_by_role("button", name="Build now").click()
        expect(page.locator("#progress-node")).to_have_text(STEP)
        [run] = site.ask("GET", "/runs?limit=1").json["runs"]
        page.goto(f"{site.address}/history/{run['run_id']}")
        expect(page.locator("#run")).to_contain_text("running")
        expect(page.locator("#progress-node")).to_have_text(STEP)
        page.route("**/log", lambda _route: None, times=1)  # This one takes long.
    expect(page.locator("#run")).to_contain_text("is done, in")
    expect(page.locator("#log")).to_contain_text("model input_summary success")


def test_durations_lead_to_their_runs(page: Page) -> None:
    page.locator("#durations summary").click()
    link = page.locator("#durations tbody a").first
    words = link.inner_text().split(",")[0]
    link.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(words)


@pytest.fixture
def many_runs(site: Site) -> Iterator[int]:
    """How many there are, with forty more than there have been."""
    site.execute(
        "insert into elute.runs (trigger, requested_by, state, finished_at) "
        "select 'schedule', 'an older test', 'cancelled', now() from generate_series(1, 40)"
    )
    yield len(site.ask("GET", "/runs?limit=500").json["runs"])
    site.execute("delete from elute.runs where requested_by = 'an older test'")


def test_older_runs_stay_once_they_are_shown(many_runs: int, open_page: Open) -> None:
    page = is_ready(open_page("/history"))
    rows = page.locator("#runs tbody tr")
    older = page.get_by_role("button", name="Show older runs")
    expect(rows).to_have_count(30)
    while older.is_visible():
        shown = rows.count()
        # The second asks for the same once more; a real one might meet a link that has come there.
        older.evaluate("button => { button.click(); button.click(); }")
        expect(rows).not_to_have_count(shown)
    expect(rows).to_have_count(many_runs)
    with page.expect_response("**/runs?*"):
        page.evaluate("document.dispatchEvent(new CustomEvent('elute:ended'))")
    expect(rows).to_have_count(many_runs)
    expect(older).to_be_hidden()


@pytest.mark.usefixtures("many_runs")
def test_older_runs_that_cannot_be_had_are_asked_for_again(open_page: Open) -> None:
    page = is_ready(open_page("/history", expected=("ERR_INTERNET_DISCONNECTED",)))
    rows = page.locator("#runs tbody tr")
    older = page.get_by_role("button", name="Show older runs")
    page.context.set_offline(True)
    older.click()
    expect(page.locator("#outcome")).to_contain_text("Elute does not answer.")
    expect(rows).to_have_count(30)
    page.context.set_offline(False)
    older.click()
    expect(rows).not_to_have_count(30)
