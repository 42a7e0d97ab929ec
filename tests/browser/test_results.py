"""The page Results, and the page of one user."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open, Site, is_ready
from tests.conftest import SAMPLE

FILTERS = [
    ("Name contains", "wei", ["Chen Wei"]),
    ("E-mail contains", "WEI@LAB", ["Chen Wei"]),
    ("User is", "3", ["Chen Wei"]),
    ("Experiments from", "11", ["Amara Okafor", "Chen Wei"]),
    ("Mean run time from", "50.5", ["Chen Wei"]),
    ("Signed up to, such as 2021 or 2021-06-15", "2021-03", ["Amara Okafor", "Bruno Keller"]),
    ("Signed up from, such as 2021 or 2021-06-15", "2024-10-07", ["Noor Siddiqui"]),
    ("Most common compound contains", "dopa", ["Chen Wei"]),
]


def names(page: Page) -> list[str]:
    """The users in the table."""
    return page.locator("#users tbody tr td:nth-child(2)").all_inner_texts()


@pytest.fixture
def results(open_page: Open) -> Page:
    """The page, with all users."""
    page = is_ready(open_page("/"))
    expect(page.locator("#users-status")).to_have_text("1 to 14 of 14 users")
    return page


def test_the_laboratory_in_a_few_numbers(results: Page) -> None:
    tiles = results.locator("#headline > div")
    expect(tiles).to_have_count(5)
    expect(tiles.nth(0)).to_contain_text("14")
    expect(tiles.nth(1)).to_contain_text("5.071 per user, at most 12")
    expect(tiles.nth(4)).to_have_text(re.compile("^Left out1.*of 98 records; 2 values not used$"))
    tiles.nth(4).get_by_role("link").click()
    expect(results.get_by_role("heading", level=1)).to_have_text("Data quality")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("wei", ["Chen Wei user 3, chen.wei@lab.example"]),
        ("8", ["Hiro Tanaka user 8, hiro.tanaka@lab.example", "Quinine compound 8, C20H24N2O2"]),
        ("C8H11", ["Dopamine compound 5, C8H11NO2"]),
        ('n_b%"(,)\\', ["Nobody and nothing is called so."]),
    ],
)
def test_a_user_or_a_compound_is_found(results: Page, text: str, found: list[str]) -> None:
    results.get_by_label("Find a user or a compound").fill(text)
    listed = results.locator("#found li")
    for each in found:
        expect(listed.filter(has_text=each)).to_have_count(1)


def test_enter_leads_to_what_was_found_first(results: Page) -> None:
    box = results.get_by_label("Find a user or a compound")
    box.fill("dopa")
    box.press("Enter")
    expect(results.get_by_role("heading", level=1)).to_have_text("Dopamine")


def test_the_unit_of_run_times_is_shown_if_it_is_stated(site: Site, open_page: Open) -> None:
    meta = '{"avg_experiment_run_time": {"unit": "min"}}'
    path = "'{user_summary,column_meta}'"
    site.build()
    earlier = site.earlier_build()
    setting = f"""
        update builds.publications set tables = jsonb_set(tables, {path}, '%s')
        where build = {earlier}
    """
    site.execute(setting % meta)
    assert site.ask("POST", f"/builds/{earlier}/publish").status == 200
    try:
        page = is_ready(open_page("/"))
        expect(page.get_by_role("button", name="Mean run time (min)")).to_be_visible()
        expect(page.locator("#headline")).to_contain_text("Mean run time (min)")
    finally:
        site.execute(setting % "{}")
        site.build()


def test_a_click_on_a_heading_sorts_and_another_turns_it_round(results: Page) -> None:
    results.get_by_role("button", name="Name", exact=True).click()
    head = results.get_by_role("columnheader", name="Name", exact=True)
    expect(head).to_have_attribute("aria-sort", "ascending")
    assert names(results) == sorted(names(results))
    results.get_by_role("button", name="Name", exact=True).click()
    expect(head).to_have_attribute("aria-sort", "descending")
    expect(results.locator("#users tbody tr").first).to_contain_text("Noor Siddiqui")


def test_each_kind_of_filter(results: Page) -> None:
    for box, text, expected in FILTERS:
        results.get_by_label(box, exact=True).fill(text)
        expect(results.locator("#users-status")).to_contain_text(f"of {len(expected)} user")
        assert names(results) == expected
        results.get_by_role("button", name="Clear filters").click()
        expect(results.locator("#users-status")).to_have_text("1 to 14 of 14 users")


def test_a_view_is_an_address(results: Page, open_page: Open) -> None:
    results.get_by_label("Experiments from").fill("5")
    expect(results.locator("#users-status")).to_contain_text("of 8 users")
    results.get_by_role("button", name="Experiments", exact=True).click()
    expect(results.get_by_role("columnheader", name="Experiments")).to_have_attribute(
        "aria-sort", "ascending"
    )
    expect(results.locator("#users-status")).to_contain_text("of 8 users")
    path = results.evaluate("location.pathname + location.search")
    assert "experiment_count=gte.5" in path
    again = is_ready(open_page(path))
    expect(again.locator("#users-status")).to_contain_text("of 8 users")
    expect(again.get_by_label("Experiments from")).to_have_value("5")
    assert names(again) == names(results)
    results.go_back()
    expect(results.get_by_role("columnheader", name="Experiments")).to_have_attribute(
        "aria-sort", "none"
    )
    expect(results.get_by_label("Experiments from")).to_have_value("5")


def test_what_is_no_number_is_marked_and_not_asked_for(results: Page) -> None:
    box = results.get_by_label("Experiments from")
    box.fill("many")
    expect(box).to_have_attribute("aria-invalid", "true")
    status = results.locator("#users-status")
    expect(status).to_have_text(
        "1 to 14 of 14 users. Experiments from: “many” is no number, and not used"
    )
    box.fill("")
    expect(status).to_have_text("1 to 14 of 14 users")
    expect(box).not_to_have_attribute("aria-invalid", "true")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("user_id=eq.abc", "'abc' is no value for user_id"),
        ("nosuch=eq.1", "nosuch"),
        ("as_of=2026-11-28T06:13:00", "what is published now"),
    ],
)
def test_an_address_that_cannot_be_shown_is_not_shown_otherwise(
    open_page: Open, query: str, said: str
) -> None:
    page = open_page(f"/?{query}", expected=("400",))
    expect(page.locator("#state")).to_contain_text(said)
    expect(page.locator("#content")).to_be_hidden()


def test_past_the_last_page_the_last_one_is_shown(open_page: Open) -> None:
    page = is_ready(open_page("/?offset=4000&limit=5"))
    expect(page.locator("#users-status")).to_have_text("11 to 14 of 14 users")
    assert page.url.endswith("?limit=5&offset=10")


@pytest.mark.parametrize("query", ["offset=-10", "offset=ten&limit=-5", "offset=1e1&limit=2.5"])
def test_what_is_no_place_in_the_table_is_its_beginning(open_page: Open, query: str) -> None:
    page = is_ready(open_page(f"/?{query}"))
    expect(page.locator("#users-status")).to_have_text("1 to 14 of 14 users")
    expect(page.locator("#users-pager select")).to_have_value("50")


def test_long_names_stay_within_their_plot(site: Site, open_page: Open) -> None:
    long = b"DEXTROMETHORPHAN HYDROBROMIDE MONOHYDRATE"
    name = SAMPLE["compounds.csv"].splitlines()[1].split(b",")[1]
    site.write(compounds=SAMPLE["compounds.csv"].replace(name, long))
    try:
        site.build()
        page = is_ready(open_page("/"))
        label = page.locator("#plot-compounds text.name", has_text="DEXTRO")
        expect(label).to_contain_text("…")
        card, text = page.locator("#plot-compounds").bounding_box(), label.bounding_box()
        assert card is not None
        assert text is not None
        assert text["x"] >= card["x"]
    finally:
        site.write()
        site.build()


def test_what_the_api_refuses_is_said(open_page: Open) -> None:
    page = is_ready(open_page("/", expected=("400",)))
    page.get_by_label("User is").fill("9" * 30)
    expect(page.locator("#users-status")).to_contain_text("no value for user_id")
    page.get_by_label("User is").fill("3")
    expect(page.locator("#users-status")).to_have_text("1 to 1 of 1 user")


def test_what_somebody_has_put_into_a_link_is_no_filter(open_page: Open) -> None:
    page = is_ready(open_page("/?utm_source=letter&user_id=eq.3&or=(user_id.eq.3,name.is.null)"))
    expect(page.locator("#users-status")).to_have_text("1 to 1 of 1 user")
    page.get_by_role("button", name="Clear filters").click()
    expect(page.locator("#users-status")).to_have_text("1 to 14 of 14 users")
    assert "?" not in page.url


def test_nothing_found_says_so(results: Page) -> None:
    results.get_by_label("Name contains").fill("nobody_%")
    expect(results.locator("#users tbody")).to_have_text("No users match these filters.")
    expect(results.locator("#users-status")).to_have_text("0 users")


def test_a_column_of_a_plot_narrows_the_table(results: Page) -> None:
    results.locator("#plot-experiments .clickable").last.click()
    expect(results.locator("#users-status")).to_have_text("1 to 1 of 1 user")
    assert names(results) == ["Amara Okafor"]
    results.locator("#plot-compounds summary").click()
    results.locator("#plot-compounds").get_by_role("link", name="Dopamine").click()
    expect(results.get_by_label("Compound is")).to_have_value("5")
    expect(results.locator("#users tbody")).to_contain_text("Chen Wei")


@pytest.mark.parametrize(
    ("form", "begins"),
    [
        ("CSV", b"\xef\xbb\xbfuser_id,name"),
        ("JSON", b'[{"user_id":3,'),
        ("NDJSON", b'{"user_id":3,'),
    ],
)
def test_a_download_has_what_the_table_shows(results: Page, form: str, begins: bytes) -> None:
    results.get_by_label("User is").fill("3")
    expect(results.locator("#users-status")).to_have_text("1 to 1 of 1 user")
    with results.expect_download() as waiting:
        results.get_by_role("link", name=form, exact=True).click()
    content = waiting.value.path().read_bytes()
    assert waiting.value.suggested_filename == f"user_summary.{form.lower()}"
    assert content.startswith(begins)
    assert b"Chen Wei" in content
    assert b"Amara" not in content


def test_other_programs_read_this_view_as_it_says(results: Page) -> None:
    results.get_by_label("User is").fill("3")
    expect(results.locator("#users-status")).to_have_text("1 to 1 of 1 user")
    results.get_by_text("This view in other programs").click()
    recipe = results.locator("[data-recipe=pandas]").inner_text()
    users: dict[str, Any] = {}
    exec(recipe, users)
    assert users["rows"]["name"].tolist() == ["Chen Wei"]


def test_every_number_of_a_user_is_explained(results: Page) -> None:
    results.get_by_role("link", name="Hiro Tanaka").click()
    expect(results.get_by_role("heading", level=1)).to_have_text("Hiro Tanaka")
    cards = results.locator("#user .card")
    expect(cards.nth(0)).to_contain_text("5")
    expect(cards.nth(1)).to_contain_text("32.3125")
    expect(cards.nth(1)).to_contain_text("= 129.25 / 4. 1 experiment without a run time")
    expect(cards.nth(2)).to_contain_text("Acetylsalicylic acid")
    expect(cards.nth(2)).to_contain_text("In 3 of 5 experiments.")
    experiments = results.get_by_role("region", name="Experiments of this user")
    rows = experiments.locator("tbody tr")
    expect(rows).to_have_count(5)
    times = rows.locator("td:nth-child(5)").all_inner_texts()
    assert sum(float(time) for time in times if time != "none") == 129.25
    expect(rows.filter(has_text="4;99")).to_contain_text("99: unknown compound, entry ignored")


@pytest.mark.parametrize("user", ["404", "nobody"])
def test_a_user_who_is_not_there(open_page: Open, user: str) -> None:
    page = open_page(f"/users/{user}", expected=("404",))
    expect(page.locator("#state")).to_contain_text("There is nothing here")
