"""Measure the page of results in a browser: until it is ready, sorted, filtered.

    PYTHON=python3 ./run_tests.sh --version     # once: Playwright is among what tests need
    "$ELUTE_HOME"/venv-tests-*/bin/python -m benchmarks.dashboard [--users 1000000] [--rounds 5]

Builds a laboratory of that many users and as many experiments, starts the web app as `elute serve`
does, and looks at it with Chromium, which has to be at /usr/bin/chromium. Prints a table.
"""

from __future__ import annotations

import argparse
import statistics
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from benchmarks.serving import served
from elute.commands.tables import table
from tests.browser.conftest import MILLISECONDS_UNTIL, MILLISECONDS_UNTIL_READY

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = "/usr/bin/chromium"  # as people have it, with a window's parts
# What is typed: with many rows that match, and with few or none.
FILTERS = {
    "user_id": ("7", "-7"),
    "name": ("77", "999999"),
    "email": ("user99", "user99999"),
    "signup_date": ("2020", "1999"),
    "experiment_count": ("1", "999"),
    "avg_experiment_run_time": ("50", "99999"),
    "compound_id": ("7", "0"),
    "compound_name": ("compound 7", "zzz"),
    "compound_structure": ("c", "zzz"),
}


def measured(browser: Browser, address: str) -> dict[str, list[float]]:
    """Milliseconds in a browser that has never been there, by column and `ready` for the page.

    Of a column: until the users are sorted by it, up and down, and filtered, many and few.
    """
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(address)
        times = {"ready": [float(page.evaluate(MILLISECONDS_UNTIL_READY))]}
        for column, texts in FILTERS.items():
            head, box = f"#users th[data-column={column}] button", f"[data-filter={column}]"
            done = [("click", head), ("click", head), *((text, box) for text in texts), ("", box)]
            times[column] = [until_told(page, *each) for each in done][:-1]
        return times


def until_told(page: Page, action: str, target: str) -> float:
    """Milliseconds until the rows are there; returns when their number is, too."""
    milliseconds: float = page.evaluate(MILLISECONDS_UNTIL, [action, target])
    page.wait_for_selector("#users:not([aria-busy])")
    return milliseconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the dashboard in a browser.")
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with served(options.users) as (address, _, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        rounds = [measured(browser, address) for _ in range(options.rounds)]
        browser.close()
    [ready] = zip(*(each["ready"] for each in rounds), strict=True)
    print(f"ready in {statistics.median(ready):.0f} ms ({min(ready):.0f} to {max(ready):.0f})")
    rows = []
    for column in FILTERS:
        medians = map(statistics.median, zip(*(each[column] for each in rounds), strict=True))
        rows.append([column, *(f"{milliseconds:.0f} ms" for milliseconds in medians)])
    print(table(["column", "sorted", "reversed", "filtered, many", "filtered, few"], rows))


if __name__ == "__main__":
    main()
