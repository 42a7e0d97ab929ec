"""What changed between builds: told on Results, of a run and of the files, and row by row."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open, Site, is_ready
from tests.browser.test_looks import focus
from tests.conftest import SAMPLE

NEW = b"".join(b"%d,User %d,,\n" % (number, number) for number in range(100, 160))
USERS = re.sub(rb"(?m)^12,.*\n", b"", SAMPLE["users.csv"]).replace(b"Keller", b"=Keller") + NEW
SENTENCE = re.compile(r"^Since the build of \w+day, \d\d:\d\d: 60 new users, 1 changed, 1 gone\.$")


@pytest.fixture(scope="module")
def builds(site: Site) -> Iterator[tuple[int, int]]:
    """The numbers of two builds: of the sample, and with 60 new users, one changed, one gone."""
    site.build()
    site.write(users=USERS)
    try:
        site.build()
        new, old, *_ = site.ask("GET", "/builds").json["builds"]
        yield old["build"], new["build"]
    finally:
        site.write()
        site.build()


@pytest.fixture
def compared(builds: tuple[int, int], open_page: Open) -> Page:
    """The page, as it is without being told which builds."""
    assert builds
    return is_ready(open_page("/compare"))


@pytest.mark.parametrize("page", ["Results", "the run"])
def test_a_sentence_tells_what_changed_since_the_build_before(
    site: Site, builds: tuple[int, int], open_page: Open, page: str
) -> None:
    run_id = site.ask("GET", f"/builds/{builds[1]}").json["run_id"]
    shown = is_ready(open_page("/" if page == "Results" else f"/history/{run_id}"))
    expect(shown.locator("#since")).to_have_text(SENTENCE)
    shown.locator("#since a").click()
    expect(shown).to_have_url(f"{site.address}/compare?from={builds[0]}&to={builds[1]}")
    expect(shown.locator("details", has_text="user_summary")).to_contain_text("60 new")


@pytest.mark.usefixtures("builds")
def test_numbers_show_how_they_went_from_build_to_build(open_page: Open) -> None:
    page = is_ready(open_page("/history"))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_role("link", name="Results").click()
    users = is_ready(page).locator("#headline > div").first
    expect(users.locator(".figure")).to_have_text(
        re.compile(r"^73\+59 since then; build by build: .*14, 73$")
    )
    expect(users.locator("svg[aria-hidden=true] polyline")).to_have_count(1)
    expect(page.locator("#headline .trend svg")).to_have_count(5)
    assert len([url for url in asked if "/builds/marts/experiment_stats?" in url]) == 1


def test_what_was_left_out_is_shown_build_by_build(
    site: Site, builds: tuple[int, int], open_page: Open
) -> None:
    page = is_ready(open_page("/quality"))
    figure = page.locator("#trends figure")
    expect(figure.locator("strong")).to_have_text("Left out of user_experiments.csv")
    figure.locator("summary").click()
    expect(figure.locator("tbody tr").last).to_have_text(re.compile(rf"^Build {builds[1]}, .*3$"))
    figure.get_by_role("link").last.click()
    expect(page).to_have_url(f"{site.address}/compare?from={builds[0]}&to={builds[1]}")


@pytest.mark.usefixtures("builds")
def test_without_an_answer_there_is_no_sentence(open_page: Open) -> None:
    page = is_ready(open_page("/quality", expected=("ERR_FAILED",)))
    page.route("**/changes/**", lambda route: route.abort())
    with page.expect_event("requestfailed", lambda request: "/changes/" in request.url):
        page.get_by_role("link", name="Results").click()
    expect(is_ready(page).locator("#users-status")).to_contain_text("of 73 users")
    expect(page.locator("#since")).to_be_empty()


def test_a_table_that_is_opened_shows_what_was_and_what_is(
    site: Site, builds: tuple[int, int], compared: Page
) -> None:
    focus(compared, "Compare")
    for _ in range(20):
        compared.keyboard.press("Tab")
        if "user_summary" in compared.evaluate("document.activeElement.innerText"):
            break
    expect(compared.locator("summary:focus")).to_have_text(
        re.compile("^user_summary 60 new, 1 changed, 1 gone name in 1$")
    )
    compared.keyboard.press("Enter")
    rows = compared.get_by_role("region", name="Rows of user_summary").locator("tbody tr")
    expect(rows).to_have_count(50)
    changed = rows.filter(has_text="changed")
    expect(changed.locator("del")).to_have_text("was Bruno Keller")
    expect(changed.locator("ins")).to_have_text("is Bruno =Keller")
    expect(rows.filter(has_text="gone").get_by_role("link")).to_have_count(0)
    expect(compared).to_have_url(re.compile(rf"from={builds[0]}&to={builds[1]}&mart=user_summary$"))
    changed.get_by_role("link", name="2", exact=True).click()
    expect(compared).to_have_url(f"{site.address}/users/2")


def test_the_records_of_the_files_that_made_the_difference_are_shown(compared: Page) -> None:
    expect(compared.locator("#records details")).to_have_count(1)
    users = compared.locator("#records details", has_text="users.csv 61 new, 2 gone")
    users.locator("summary").click()
    rows = users.locator("tbody tr")
    expect(rows).to_have_count(63)
    expect(rows.nth(0)).to_have_text(re.compile("^2gone2Bruno Keller"))
    expect(rows.nth(1)).to_have_text(re.compile("^2new2Bruno =Keller"))
    expect(rows.nth(2)).to_have_text(re.compile("^12gone12Liam Byrne"))


def test_pages_of_rows_are_addresses(compared: Page, open_page: Open) -> None:
    compared.locator("summary", has_text="user_summary").click()
    opened = compared.locator("details[open]")
    expect(opened.get_by_role("status")).to_have_text("1 to 50 of 62")
    opened.get_by_role("button", name="Next").click()
    expect(opened.get_by_role("status")).to_have_text("51 to 62 of 62")
    expect(opened.get_by_role("button", name="Next")).to_be_focused()
    expect(opened.locator("tbody tr")).to_have_count(12)
    again = is_ready(open_page(compared.evaluate("location.pathname + location.search")))
    opened = again.locator("details[open]")
    expect(opened.get_by_role("status")).to_have_text("51 to 62 of 62")
    opened.get_by_role("button", name="Back").click()
    expect(opened.get_by_role("status")).to_have_text("1 to 50 of 62")
    again.locator("summary", has_text="data_issues").click()
    expect(again).to_have_url(re.compile("mart=data_issues$"))


@pytest.mark.parametrize("offset", ["-5", "1.5", "many"])
def test_what_is_no_row_is_the_first(builds: tuple[int, int], open_page: Open, offset: str) -> None:
    assert builds
    page = is_ready(open_page(f"/compare?mart=user_summary&offset={offset}"))
    expect(page.locator("details[open]").get_by_role("status")).to_have_text("1 to 50 of 62")


def test_a_problem_names_the_file_and_the_record(compared: Page) -> None:
    compared.locator("summary", has_text="data_issues").click()
    row = compared.get_by_role("region", name="Rows of data_issues").locator("tbody tr").first
    expect(row.locator("td").nth(0)).to_have_text("new")
    expect(row.locator("td").nth(1)).to_have_text("user_experiments.csv")
    expect(row.locator("td").nth(2)).to_have_text(re.compile(r"^\d+$"))


def test_the_rows_are_downloaded_for_a_spreadsheet(compared: Page) -> None:
    compared.locator("summary", has_text="user_summary").click()
    with compared.expect_download() as waiting:
        compared.locator("details[open]").get_by_role("link", name="CSV").click()
    lines = waiting.value.path().read_bytes().splitlines()
    assert waiting.value.suggested_filename.startswith("user_summary-changes-")
    assert lines[0].startswith(b"\xef\xbb\xbfuser_id,change,before_name,after_name")
    assert len(lines) == 63


def test_other_builds_are_chosen(builds: tuple[int, int], compared: Page) -> None:
    compared.get_by_label("From").select_option(str(builds[1]))
    compared.locator("#to").select_option(str(builds[0]))
    compared.get_by_role("button", name="Compare").click()
    users = compared.locator("summary", has_text="user_summary")
    expect(users).to_contain_text("1 new, 1 changed, 60 gone")
    compared.get_by_label("From").select_option(str(builds[0]))
    compared.get_by_role("button", name="Compare").click()
    expect(compared.locator("#comparison")).to_have_text("No row has changed.")


def test_a_build_that_is_not_there_is_told(open_page: Open) -> None:
    page = is_ready(open_page("/compare?from=1&to=999", expected=("404",)))
    expect(page.locator("#comparison")).to_contain_text("There is no build 999")
    expect(page.locator("#to option:checked")).to_have_text("Build 999, not kept")
    expect(page.get_by_role("button", name="Compare")).to_be_visible()


def test_runs_lead_there(open_page: Open) -> None:
    page = is_ready(open_page("/history"))
    page.get_by_role("link", name="Compare builds").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Compare builds")


def test_one_can_return_to_the_earlier_build_and_every_page_says_so(
    site: Site, builds: tuple[int, int], compared: Page
) -> None:
    compared.get_by_label("Why").fill("the export of Tuesday was wrong")
    compared.get_by_role("button", name=f"Return to build {builds[0]}").click()
    expect(compared.locator("#returned")).to_contain_text(f"Build {builds[0]} is published")
    assert len(site.ask("GET", "/etl-results").json) == 14
    newest = site.ask("GET", "/audit").json["changes"][0]
    assert (newest["action"], newest["subject"]) == ("return", f"build {builds[0]}")
    expect(compared.locator("#last-build")).to_contain_text(f"Build {builds[0]} again, published")
    compared.locator("#last-build a").click()
    said = compared.locator("#builds")
    expect(said).to_contain_text(f"build {builds[0]} again, asked for by the page, because: the ")
    said.get_by_text("Made with").click()
    expect(said).to_contain_text("elute")


def test_results_are_held_against_those_of_an_earlier_day(
    site: Site, builds: tuple[int, int], open_page: Open
) -> None:
    site.build()
    published = "update builds.publications set published_at = '2026-01-0{} 12:00Z' where build {}"
    site.execute(published.format(6, f"> {builds[0]}"))
    site.execute(published.format(5, f"= {builds[0]}"))
    page = is_ready(open_page("/"))
    expect(page.locator("#since")).to_have_text(
        re.compile(r"^Since the build of 5 Jan 2026, \d\d:\d\d: 60 new users, 1 changed, 1 gone\.$")
    )
    expect(page.locator("#headline .figure").first).to_contain_text("73+59 since then")
