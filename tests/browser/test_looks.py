"""What holds for every page: axe finds nothing, nothing is cut off, the keyboard is enough."""

import re
from importlib import resources
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NARROW, WIDE, Open, is_ready

AXE = (resources.files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")
PAGES = (
    *("/", "/users/1", "/compounds/2", "/quality", "/tables", "/tables/data_issues"),
    *("/history", "/history/1", "/history/changes", "/history/messages"),
    *("/compare", "/files", "/api"),
)
# The style sheet knows whether it is dark, and changes nothing but colours then.
OF_COLOURS = ("color-contrast", "link-in-text-block")


def shown(page: Page) -> Page:
    """The page once all of it is there; some come whole from the server."""
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    return page if page.url.endswith(("/api", "/tables")) else is_ready(page)


def complaints(page: Page, rules: tuple[str, ...] = ()) -> list[str]:
    """What axe finds fault with, by these rules or by all."""
    options = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
    found: dict[str, Any] = page.evaluate("options => axe.run(options)", options)
    return [
        f"{violation['id']}: {node['html'][:200]} {node['any'][:1]}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_shows_all_of_it_and_axe_finds_nothing_in_light_and_in_dark(
    open_page: Open, path: str
) -> None:
    page = shown(open_page(path, viewport=NARROW, color_scheme="light"))
    assert page.evaluate("document.documentElement.scrollWidth") == NARROW["width"]
    page.set_viewport_size(WIDE)
    # The API's page has hundreds that are alike. What is in those that are closed is not seen by
    # axe, but takes most of its time.
    page.evaluate(
        """[...document.querySelectorAll("details")].forEach((details, index) => {
            details.open ||= index < 4;
            if (!details.open) details.replaceChildren(details.querySelector("summary"));
        })"""
    )
    page.evaluate(AXE)
    assert complaints(page) == []
    page.emulate_media(color_scheme="dark")
    assert complaints(page, OF_COLOURS) == []


@pytest.mark.parametrize(("path", "selector"), [("/users/1", "h1"), ("/users/1", ".card a")])
def test_a_name_without_blanks_is_broken(open_page: Open, path: str, selector: str) -> None:
    page = shown(open_page(path, viewport=NARROW))
    page.locator(selector).first.evaluate("shown => { shown.textContent = 'x'.repeat(300); }")
    assert page.evaluate("document.documentElement.scrollWidth") == NARROW["width"]


def test_a_name_without_blanks_leaves_room_for_the_other_columns(open_page: Open) -> None:
    page = shown(open_page("/users/1", viewport=WIDE))
    assert page.locator(".scroll td:not(.number)").first.evaluate(
        """cell => {
            cell.textContent = "x".repeat(300);
            const region = cell.closest(".scroll");
            return region.scrollWidth <= region.clientWidth;
        }"""
    )


def test_dark_where_the_system_is(open_page: Open) -> None:
    backgrounds = {
        is_ready(open_page("/", color_scheme=scheme)).evaluate(
            "getComputedStyle(document.body).backgroundColor"
        )
        for scheme in ("light", "dark")
    }
    assert len(backgrounds) == 2


def test_the_keyboard_is_enough(open_page: Open) -> None:
    page = is_ready(open_page("/"))
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    heading = page.get_by_role("button", name="Name", exact=True)
    focus(page, heading.inner_text())
    outline = heading.evaluate("heading => getComputedStyle(heading).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    expect(page.get_by_role("columnheader", name="Name", exact=True)).to_have_attribute(
        "aria-sort", "ascending"
    )
    expect(heading).to_be_focused()
    focus(page, "Name contains")
    page.keyboard.type("wei")
    expect(page.locator("#users-status")).to_have_text("1 to 1 of 1 user")
    focus(page, "Chen Wei")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/users/3$"))


def focus(page: Page, name: str, most: int = 60) -> None:
    """Press Tab until what is called so has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        found = page.evaluate(
            "document.activeElement.ariaLabel ?? document.activeElement.innerText"
        )
        if found == name:
            return
    pytest.fail(f"{name} cannot be reached by Tab")


def test_who_wants_no_motion_gets_none(open_page: Open) -> None:
    page = is_ready(open_page("/", reduced_motion="reduce"))
    bar = page.locator("#progress-bar > div")
    assert bar.evaluate("bar => getComputedStyle(bar).transitionDuration") == "0s"
