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
from tests.browser.conftest import CHROMIUM, MILLISECONDS_UNTIL, MILLISECONDS_UNTIL_READY

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FILTERS = {
    "user_id": ("7", "77"),
    "name": ("77", "78"),
    "email": ("user99", "user98"),
    "signup_date": (">2020", ">2021"),
    "experiment_count": (">1", ">2"),
    "avg_experiment_run_time": (">50", ">60"),
    "compound_id": ("7", "8"),
    "compound_name": ("compound 7", "compound 8"),
    "compound_structure": ("c", "o"),
}


def milliseconds_until_ready(browser: Browser, address: str) -> float:
    """Of a browser that has never been there."""
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(address)
        return float(page.evaluate(MILLISECONDS_UNTIL_READY))


def of_column(page: Page, column: str, rounds: int) -> tuple[float, float]:
    """Milliseconds until the users are sorted by a column, and filtered; medians."""
    head, box = f"#users th[data-column={column}] button", f"[data-filter={column}]"
    clicks = [page.evaluate(MILLISECONDS_UNTIL, ["click", head]) for _ in range(2 * rounds)]
    texts = FILTERS[column] * rounds
    typed = [page.evaluate(MILLISECONDS_UNTIL, [text, box]) for text in texts]
    page.evaluate(MILLISECONDS_UNTIL, ["", box])
    return statistics.median(clicks), statistics.median(typed)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the dashboard in a browser.")
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with served(options.users) as (address, _, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        times = [milliseconds_until_ready(browser, address) for _ in range(options.rounds)]
        print(f"ready in {statistics.median(times):.0f} ms ({min(times):.0f} to {max(times):.0f})")
        page = browser.new_page()
        page.goto(address)
        page.evaluate(MILLISECONDS_UNTIL_READY)
        rows = []
        for column in FILTERS:
            found = of_column(page, column, options.rounds)
            rows.append([column, *(f"{milliseconds:.0f} ms" for milliseconds in found)])
        print(table(["column", "sorted", "filtered"], rows))
        browser.close()


if __name__ == "__main__":
    main()
