"""Measure the page of results in a browser: until it is ready, sorted, filtered.

    PYTHON=python3 ./run_tests.sh --version     # once: Playwright is among what tests need
    "$ELUTE_HOME"/venv-tests-*/bin/python -m benchmarks.dashboard [--users 1000000] [--rounds 5]

Builds a laboratory of that many users and as many experiments, starts the web app as `elute serve`
does, and looks at it with Chromium, which has to be at /usr/bin/chromium. Prints a table.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import sys
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from benchmarks.generate import Laboratory, generate
from benchmarks.run import BIN, run_measured
from benchmarks.serving import running
from elute.commands.tables import table
from elute.environment import environment
from elute.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = "/usr/bin/chromium"
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
READY = """() => new Promise((resolve) => {
  new PerformanceObserver((marks) => resolve(marks.getEntriesByName("elute:ready")[0].startTime))
    .observe({ type: "mark", buffered: true });
})"""
# From a click or a key to its rows, and so with the pause in which more keys may follow.
UNTIL = """([column, text]) => new Promise((resolve) => {
  const rows = document.querySelector("#users tbody");
  const begun = performance.now();
  new MutationObserver((_changes, observer) => {
    observer.disconnect();
    resolve(performance.now() - begun);
  }).observe(rows, { childList: true });
  const head = document.querySelector(`#users th[data-column=${column}] button`);
  if (text === null) return head.click();
  const field = document.querySelector(`[data-filter=${column}]`);
  field.value = text;
  field.dispatchEvent(new Event("input"));
})"""


def milliseconds_until_ready(browser: Browser, address: str) -> float:
    """Of a browser that has never been there."""
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(address)
        return float(page.evaluate(READY))


def of_column(page: Page, column: str, rounds: int) -> tuple[float, float]:
    """Milliseconds until the users are sorted by a column, and filtered; medians."""
    clicks = [page.evaluate(UNTIL, [column, None]) for _ in range(2 * rounds)]
    texts = FILTERS[column] * rounds
    typed = [page.evaluate(UNTIL, [column, text]) for text in texts]
    page.evaluate(UNTIL, [column, ""])
    return statistics.median(clicks), statistics.median(typed)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the dashboard in a browser.")
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    settings = Settings.from_environment()
    os.environ.update(environment(settings))
    folder = settings.home / "data" / f"serving-{options.users}"
    generate(folder, Laboratory(experiments=options.users, users=options.users))
    run_measured([str(BIN / "dbt"), "build"], {"ELUTE_SEEDS_DIR": str(folder)})
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        command = [sys.executable, "-m", "dashboard.server", "--socket", str(listener.fileno())]
        with (
            running(command, f"{address}/health/live", [listener.fileno()]),
            sync_playwright() as playwright,
        ):
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            times = [milliseconds_until_ready(browser, address) for _ in range(options.rounds)]
            median = statistics.median(times)
            print(f"ready in {median:.0f} ms ({min(times):.0f} to {max(times):.0f})")
            page = browser.new_page()
            page.goto(address)
            page.evaluate(READY)
            rows = []
            for column in FILTERS:
                found = of_column(page, column, options.rounds)
                rows.append([column, *(f"{milliseconds:.0f} ms" for milliseconds in found)])
            print(table(["column", "sorted", "filtered"], rows))
            browser.close()


if __name__ == "__main__":
    main()
