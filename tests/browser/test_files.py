"""The page Files: looking, checking, replacing; and Data quality, which tells what came of it."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.browser.conftest import Open, Site, is_ready
from tests.conftest import SAMPLE

ANOTHER = SAMPLE["compounds.csv"] + b"13,Ethanol,C2H6O\nx,Nothing,\n"
LONG = SAMPLE["compounds.csv"] + b"13,Ethanol,C2H6O,\n"


@pytest.fixture
def page(open_page: Open) -> Page:
    return is_ready(open_page("/files", expected=("422",)))


@pytest.fixture
def mended(site: Site) -> Iterator[None]:
    """The sample files and their tables, put back when a test is over."""
    yield
    (site.files / "compounds.csv").write_bytes(SAMPLE["compounds.csv"])
    site.build()


def card(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name)


def drop(page: Page, name: str, content: bytes) -> None:
    """Let a file fall into a box, as a mouse does."""
    transfer = page.evaluate_handle(
        """([name, text]) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([text], name, { type: "text/csv" }));
          return transfer;
        }""",
        [name, content.decode()],
    )
    card(page, name).locator(".drop").dispatch_event("drop", {"dataTransfer": transfer})


def test_what_is_loaded(page: Page) -> None:
    expect(card(page, "users.csv")).to_contain_text("14")
    expect(card(page, "user_experiments.csv")).to_contain_text("973 bytes")
    with page.expect_download() as waiting:
        card(page, "compounds.csv").get_by_role("link", name="Download").click()
    assert waiting.value.path().read_bytes() == SAMPLE["compounds.csv"]


def test_a_workbook_that_waits(page: Page, site: Site) -> None:
    waiting = site.files / "users.xlsx"
    try:
        waiting.write_bytes(b"PK")
        page.reload()
        said = "users.xlsx is newer: the next build makes users.csv from it."
        expect(card(page, "users.csv")).to_contain_text(said)
    finally:
        waiting.unlink()


@pytest.mark.parametrize("is_dropped", [False, True], ids=["chosen", "dropped"])
def test_a_bad_file_is_refused_with_its_line(page: Page, site: Site, *, is_dropped: bool) -> None:
    if is_dropped:
        drop(page, "compounds.csv", LONG)
    else:
        card(page, "compounds.csv").locator("input").set_input_files(
            [FilePayload(name="export.csv", mimeType="text/csv", buffer=LONG)]
        )
    answer = card(page, "compounds.csv").get_by_role("status")
    expect(answer).to_contain_text("cannot be used")
    expect(answer).to_contain_text("line 14: 4 fields where 3 are expected")
    expect(answer).to_contain_text("The file that is there stays.")
    expect(answer.get_by_role("button")).to_have_count(0)
    assert (site.files / "compounds.csv").read_bytes() == SAMPLE["compounds.csv"]


@pytest.mark.usefixtures("mended")
def test_a_good_file_is_checked_then_replaced_then_built(page: Page, site: Site) -> None:
    drop(page, "compounds.csv", ANOTHER)
    compounds = card(page, "compounds.csv")
    expect(compounds.get_by_role("status")).to_contain_text("can be used.")
    expect(compounds.get_by_role("status")).to_contain_text("14 records, instead of 12")
    assert (site.files / "compounds.csv").read_bytes() == SAMPLE["compounds.csv"]
    compounds.get_by_role("button", name="Leave it").click()
    expect(compounds.get_by_role("status")).to_be_empty()
    drop(page, "compounds.csv", ANOTHER)
    compounds.get_by_role("button", name="Replace compounds.csv").click()
    expect(compounds.get_by_role("status")).to_contain_text("compounds.csv is replaced.")
    assert (site.files / "compounds.csv").read_bytes() == ANOTHER
    compounds.get_by_role("button", name="Build with it now").click()
    expect(page.locator("#outcome")).to_contain_text("100 records read, 2 left out.")
    page.get_by_role("link", name="See what was left out").click()
    reasons = page.locator("#reasons tbody tr")
    expect(reasons).to_have_count(4)
    expect(reasons.filter(has_text="compounds.csv")).to_contain_text("key is not an integer")


@pytest.mark.usefixtures("mended")
def test_of_two_files_the_later_one_is_offered(page: Page, site: Site) -> None:
    checks = "**/inputs/compounds.csv?dry_run=1"
    page.route(checks, lambda _route: None, times=1)  # This one takes long.
    with page.expect_request(checks):
        drop(page, "compounds.csv", LONG)
    with page.expect_event("requestfailed", lambda request: "?dry_run=1" in request.url):
        drop(page, "compounds.csv", ANOTHER)
    compounds = card(page, "compounds.csv")
    compounds.get_by_role("button", name="Replace compounds.csv").click()
    expect(compounds.get_by_role("status")).to_contain_text("compounds.csv is replaced.")
    assert (site.files / "compounds.csv").read_bytes() == ANOTHER


def test_a_problem_leads_to_its_own_records_and_to_no_others(site: Site, open_page: Open) -> None:
    days = [b"2024-02-30", b"2023-02-29", b"30.02.2024"]
    users = [b"%d,Olga,,%s\n" % (number, day) for number, day in enumerate(days, start=15)]
    site.write(users=SAMPLE["users.csv"] + b"".join(users))
    try:
        site.build()
        page = is_ready(open_page("/quality"))
        status, rows = page.locator("#issues-status"), page.locator("#issues tbody tr")
        for records, problem in (
            ("2 records", "not a calendar date"),
            ("1 record", "not a calendar date, looks like a date in another format"),
        ):
            page.get_by_role(
                "button", name=f"Show {records}: users.csv, {problem}", exact=True
            ).click()
            number = records.split()[0]
            expect(status).to_have_text(re.compile(f"^1 to {number} of {number} problem"))
            expect(rows.locator("td:nth-child(5)")).to_have_text([problem] * int(number))
        expect(page.get_by_label("Column contains")).to_have_value("signup_date")
        page.get_by_role("button", name="Clear filters").click()
        expect(status).to_have_text("1 to 6 of 6 problems")
    finally:
        site.write()
        site.build()


def test_what_was_left_out_and_why(open_page: Open) -> None:
    page = is_ready(open_page("/quality"))
    experiments = page.locator("#inputs .card", has_text="user_experiments.csv")
    expect(experiments).to_contain_text("72")
    expect(page.locator("#issues-status")).to_have_text("1 to 3 of 3 problems")
    page.get_by_role("button", name="Show 1 record: user_experiments.csv, unknown user").click()
    expect(page.locator("#issues-status")).to_have_text("1 to 1 of 1 problem")
    expect(page.locator("#issues tbody")).to_contain_text("record dropped")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="CSV").click()
    header, record, *rest = waiting.value.path().read_text("utf-8-sig").splitlines()
    assert header == "source_file,record_number,column_name,value,problem,action,record"
    assert record.startswith("user_experiments.csv,52,user_id,41,unknown user,record dropped,")
    assert rest == []
