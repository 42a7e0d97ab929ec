"""The page of any mart: what the published build says of it, sorted and filtered by the API."""

import subprocess
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import Open, Site, is_ready
from tests.browser.test_states import out_of_reach
from tests.integration.web.publishing import published


def test_every_mart_has_a_page(open_page: Open) -> None:
    page = open_page("/tables")
    page.get_by_role("link", name="compound_usage").click()
    is_ready(page)
    expect(page.locator("#rows-status")).to_have_text("1 to 12 of 12 rows")
    page.get_by_label("compound_name contains").fill("ine")
    expect(page.locator("#rows-status")).to_contain_text(" rows")
    expect(page).to_have_url(f"{page.url.partition('?')[0]}?compound_name=ilike.*ine*")
    page.get_by_role("button", name="experiment_count").click()
    expect(page.get_by_role("columnheader", name="experiment_count")).to_have_attribute(
        "aria-sort", "ascending"
    )
    link = page.get_by_role("link", name="CSV")
    expect(link).to_have_attribute(
        "href", "/download/compound_usage.csv?compound_name=ilike.*ine*&order=experiment_count.asc"
    )


def test_columns_are_chosen_and_the_address_and_the_downloads_have_them(open_page: Open) -> None:
    page = is_ready(open_page("/tables/user_summary"))
    page.get_by_text("Columns shown").click()
    for name in ("email", "compound_structure"):
        page.get_by_label(name, exact=True).uncheck()
    expect(page.get_by_role("columnheader", name="email")).to_have_count(0)
    expect(page.get_by_label("email contains")).to_be_hidden()
    page.reload()
    is_ready(page)
    expect(page.get_by_role("columnheader", name="compound_structure")).to_have_count(0)
    expect(page.locator("#rows tbody tr").first.locator("td")).to_have_count(7)
    href = page.get_by_role("link", name="CSV").get_attribute("href")
    assert href
    assert "select=user_id%2Cname%2Csignup_date%2C" in href
    page.get_by_text("Columns shown").click()
    page.get_by_label("email", exact=True).check()
    expect(page.get_by_role("columnheader", name="email")).to_have_count(1)


def test_the_commonest_values_of_a_column_narrow_the_table(open_page: Open) -> None:
    page = is_ready(open_page("/tables/data_issues"))
    page.get_by_text("Values of a column").click()
    page.locator("#values select").select_option("source_file")
    figure = page.locator("#values figure")
    figure.get_by_text("As a table").click()
    figure.get_by_role("link", name="user_experiments.csv").click()
    expect(page).to_have_url(f"{page.url.partition('?')[0]}?source_file=eq.user_experiments.csv")
    page.locator("#values select").select_option("record_number")
    expect(figure.locator("figcaption")).to_contain_text("record_number3 rows")


def test_the_column_that_was_chosen_last_is_drawn(open_page: Open) -> None:
    page = is_ready(open_page("/tables/user_summary"))
    page.get_by_text("Values of a column").click()
    columns, caption = page.locator("#values select"), page.locator("#values figcaption")
    expect(caption).to_contain_text("name")
    page.route("**/histogram?*", lambda _route: None, times=1)  # This one takes long.
    with page.expect_request("**/histogram?*"):
        columns.select_option("experiment_count")
    with page.expect_event("requestfailed", lambda request: "/histogram?" in request.url):
        columns.select_option("email")
    expect(caption).to_contain_text("email")
    columns.select_option("experiment_count")
    expect(caption).to_contain_text("experiment_count")


def test_a_column_that_cannot_be_drawn_says_why(site: Site, open_page: Open) -> None:
    page = is_ready(open_page("/tables/user_summary", expected=("503",)))
    page.get_by_text("Values of a column").click()
    columns, figure = page.locator("#values select"), page.locator("#values figure")
    for column in ("experiment_count", "email"):
        with out_of_reach(site):
            columns.select_option(column)
            expect(figure).to_contain_text("The database cannot be reached")
            expect(page.locator("#trouble")).to_contain_text("The database cannot be reached")
        expect(page.locator("#trouble")).to_be_empty()
    columns.select_option("experiment_count")
    expect(figure.locator("figcaption")).to_contain_text("experiment_count")


def test_a_mart_with_json_and_without_a_key_is_shown_too(open_page: Open) -> None:
    page = is_ready(open_page("/tables/data_issues"))
    expect(page.locator("#rows-status")).to_have_text("1 to 3 of 3 rows")
    expect(page.locator("#rows code").first).to_contain_text('"user_id"')


def test_what_is_no_mart_is_said(open_page: Open) -> None:
    page = open_page("/tables/nothing", expected=("404",))
    expect(page.locator("#state")).to_contain_text("There is nothing here")


def test_a_compound_leads_to_its_users_and_experiments(open_page: Open) -> None:
    page = is_ready(open_page("/tables/compound_usage"))
    page.locator("#rows").get_by_role("link", name="2", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Acetylsalicylic acid")
    is_ready(page)
    for heading in ("Users", "Experiments"):
        figure = page.locator(".number-card", has_text=heading).first.locator(".figure")
        rows = page.get_by_role("region", name=heading, exact=True).locator("tbody tr")
        expect(rows).to_have_count(int(figure.inner_text()))
    page.get_by_role("link", name="Hiro Tanaka").click()
    is_ready(page)
    page.locator(".number-card").get_by_role("link", name="Acetylsalicylic acid").click()
    expect(page).to_have_url(
        page.url.partition("/users")[0].partition("/compounds")[0] + "/compounds/2"
    )


def test_only_text_has_a_box_that_looks_within_it(site: Site, open_page: Open) -> None:
    columns = (
        "user_id, name, array[user_id] as numbers, md5(name)::uuid as code, time '10:00' as hour, "
        "timestamp '2021-06-14 12:00' + user_id * interval '1 day' as seen_at"
    )
    with site.owner() as owner, published(owner, columns=columns):
        page = is_ready(open_page("/tables/user_summary"))
        assert page.get_by_label("contains").count() == 1
        for name in ("numbers", "code", "hour"):
            page.get_by_role("button", name=name, exact=True).click()
            expect(page.get_by_role("columnheader", name=name)).to_have_attribute(
                "aria-sort", "ascending"
            )
        page.get_by_label("seen_at from").fill("2021-06-16")
        page.get_by_label("seen_at to").fill("2021-06-18")
        expect(page.locator("#rows-status")).to_have_text("1 to 3 of 3 rows")
        page.reload()
        expect(page.get_by_label("seen_at to")).to_have_value("2021-06-18")
        expect(page.locator("#rows-status")).to_have_text("1 to 3 of 3 rows")
        page = is_ready(open_page("/tables/user_summary?seen_at=lte.2021-06-18"))
        expect(page.get_by_label("seen_at to")).to_have_value("")
        expect(page.locator("#rows-status")).to_have_text("1 to 3 of 3 rows")


def test_a_column_of_any_name_is_sorted_and_filtered(site: Site, open_page: Open) -> None:
    names = ("order", "limit", "and", "as_of", "a.b, (c)", 'say "x\\y"', "größe")
    columns = ", ".join(
        f'user_id + {i} as "{n.replace(chr(34), 2 * chr(34))}"' for i, n in enumerate(names)
    )
    with site.owner() as owner, published(owner, columns=f"user_id, name, {columns}"):
        page = is_ready(open_page("/tables/user_summary"))
        status = page.locator("#rows-status")
        for number, name in enumerate(names):
            page.get_by_label(f"{name} from").fill(str(number + 2))
            page.get_by_label(f"{name} to").fill(str(number + 4))
            expect(status).to_have_text("1 to 3 of 3 rows")
            head = page.get_by_role("button", name=name, exact=True)
            for way in ("ascending", "descending"):
                head.click()
                expect(page.get_by_role("columnheader", name=name, exact=True)).to_have_attribute(
                    "aria-sort", way
                )
            expect(page.locator("#rows tbody tr").first.locator("td").first).to_have_text("4")
            page.reload()
            expect(page.get_by_label(f"{name} to")).to_have_value(str(number + 4))
            expect(status).to_have_text("1 to 3 of 3 rows")
            page.get_by_role("button", name="Clear filters").click()
            expect(status).to_have_text("1 to 14 of 14 rows")


def test_columns_of_any_name_are_chosen_and_drawn(site: Site, open_page: Open) -> None:
    columns = 'user_id, name as "a.b, c", experiment_count as "order", experiment_count as "d""e"'
    with site.owner() as owner, published(owner, columns=columns):
        page = is_ready(open_page("/tables/user_summary"))
        page.get_by_text("Columns shown").click()
        page.get_by_label("order", exact=True).uncheck()
        page.reload()
        is_ready(page)
        for name, count in (("a.b, c", 1), ("order", 0)):
            expect(page.get_by_role("columnheader", name=name, exact=True)).to_have_count(count)
        page.get_by_text("Values of a column").click()
        figure = page.locator("#values figure")
        expect(figure.locator("figcaption")).to_contain_text("a.b, c")
        figure.get_by_text("As a table").click()
        for name in ('d"e', "order", "a.b, c"):
            page.locator("#values select").select_option(name)
            expect(figure.locator("figcaption")).to_contain_text(name)
            figure.get_by_role("link").first.click()
            expect(page.locator("#rows-clear")).to_be_visible()
            expect(page.locator("#rows-status")).to_contain_text("of ")
            expect(page.locator("#rows-status")).not_to_contain_text("of 14 rows")


def test_what_is_shown_is_what_curl_gets(open_page: Open, tmp_path: Path) -> None:
    page = is_ready(open_page("/tables/compound_usage?compound_name=ilike.*ine*"))
    rows = page.locator("#rows tbody tr")
    page.get_by_text("This view in other programs").click()
    command = page.locator("[data-recipe=curl]").inner_text()
    subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True, capture_output=True)
    expect(rows).to_have_count(len((tmp_path / "rows.csv").read_text("utf-8").splitlines()) - 1)
    assert "/marts/compound_usage?" in page.locator("[data-recipe=R]").inner_text()
