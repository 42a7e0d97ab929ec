"""Pictures of every page, as docs/screenshots has them, for the folder that SCREENSHOTS_DIR names.

Look at them before you commit them.
"""

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.conftest import NARROW, STEP, Open, Site, held_up, is_ready
from tests.conftest import SAMPLE

pytestmark = pytest.mark.skipif(
    "SCREENSHOTS_DIR" not in os.environ, reason="pictures are taken where SCREENSHOTS_DIR says"
)


@pytest.fixture(scope="module", autouse=True)
def _earlier(site: Site) -> None:
    """A build of fewer records, and one of the sample, so that there is something to compare."""
    users = SAMPLE["users.csv"].replace(b"Keller", b"Kellner").splitlines(keepends=True)
    experiments = SAMPLE["user_experiments.csv"].splitlines(keepends=True)
    site.write(users=b"".join(users[:-2]), user_experiments=b"".join(experiments[:-10]))
    site.build()
    site.write()
    site.build()


@pytest.fixture
def take(open_page: Open) -> Any:
    """Open a page, or take the one given, and take a picture of it."""
    folder = Path(os.environ["SCREENSHOTS_DIR"])

    def take_(name: str, page: Page | str, **options: Any) -> Page:
        shown = is_ready(open_page(page, **options)) if isinstance(page, str) else page
        expect(shown.locator("#last-build")).not_to_be_empty()
        if isinstance(page, str):
            shown.wait_for_load_state("networkidle")
        shown.screenshot(path=folder / f"{name}.png")
        assert (folder / f"{name}.png").stat().st_size > 10_000
        return shown

    return take_


def test_pages(take: Any) -> None:
    take("results", "/")
    take("results-dark", "/", color_scheme="dark")
    take("results-phone", "/", viewport=NARROW)
    take("user", "/users/8")
    take("quality", "/quality")
    take("run", "/history/1")
    take("compare", "/compare?mart=user_summary")


def test_a_build_that_is_going_on(take: Any, site: Site, open_page: Open) -> None:
    site.change()
    page = is_ready(open_page("/"))
    with held_up(site):
        page.get_by_role("button", name="Build now").click()
        expect(page.locator("#progress-node")).to_have_text(STEP)
        take("building", page)
    expect(page.locator("#outcome")).to_contain_text("is done")


def test_a_file_that_was_checked(take: Any, open_page: Open) -> None:
    page = is_ready(open_page("/files", expected=("422",)))
    for name, end in (("compounds.csv", b"13,Ethanol,C2H6O\n"), ("users.csv", b"15,Olga,,,,\n")):
        page.get_by_role("region", name=name).locator("input").set_input_files(
            [FilePayload(name=name, mimeType="text/csv", buffer=SAMPLE[name] + end)]
        )
    expect(page.get_by_text("can be used.")).to_be_visible()
    expect(page.get_by_text("cannot be used.")).to_be_visible()
    take("files", page)


def test_the_history(take: Any, site: Site, open_page: Open) -> None:
    page = is_ready(open_page("/history"))
    for content in (SAMPLE["users.csv"] + b"15,Olga,,,,\n", SAMPLE["users.csv"]):
        (site.files / "users.csv").write_bytes(content)
        site.change()
        page.get_by_role("button", name="Build now").click()
        expect(page.locator("#progress")).to_be_visible()
        expect(page.locator("#outcome")).not_to_be_empty()
        page.get_by_role("button", name="Close").click()
    site.change()
    with held_up(site):
        page.get_by_role("button", name="Build now").click()
        expect(page.locator("#progress-node")).to_have_text(STEP)
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator("#outcome")).to_contain_text("was cancelled.")
    site.build()
    page.get_by_role("button", name="Close").click()
    take("runs", "/history")
