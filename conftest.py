"""What holds for every test, of Elute and of its packages."""

import gc
import signal
from importlib.util import find_spec

import pytest
from xdist.scheduler import LoadScopeScheduling

# A shell lets what it starts in the background ignore Ctrl-C, and all that this starts would, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# dbt and Hypothesis make much and drop little, and looking for it takes a tenth of their time.
gc.set_threshold(100_000, 20, 20)

# The tests of each tier, by the beginnings of their ids; CONTRIBUTING.md says what a tier is.
BROWSER = ("tests/browser/",)
NETWORK = (
    "tests/acceptance/test_scripts.py",
    "tests/integration/test_orchestrators.py",
    "tests/integration/web/test_postgrest_js.py",
)
SPARK = ("packages/dbt-sparkcopy/tests/", "tests/integration/test_spark.py")
SLOW = (
    *BROWSER,
    *NETWORK,
    "packages/dbt-pgcopy/tests/reader/test_properties.py",
    "packages/dbt-pgcopy/tests/server/",
    "packages/dbt-warm/tests/test_invoke.py",
    "packages/dbt-warm/tests/test_readme.py::test_the_example_runs",
    "packages/dbt-warm/tests/test_warm.py",
    "packages/postgres-here/tests/test_server.py",
    "tests/acceptance/",
    "tests/integration/test_",
    "tests/integration/web/test_changes.py::test_what_takes_too_long_says_so",
    "tests/integration/web/test_connections.py",
    "tests/integration/web/test_current.py",
    "tests/integration/web/test_health.py",
    "tests/integration/web/test_monitoring.py",
    "tests/integration/web/test_openapi.py::test_nothing_answers_otherwise_than_it_says",
    "tests/integration/web/test_package.py::test_frictionless_finds_it_valid",
    "tests/integration/web/test_returns.py",
    "tests/integration/web/test_sessions.py",
    "tests/integration/web/test_streams.py",
    "tests/integration/web/test_tools.py",
    "tests/rules/test_reader.py::test_what_was_written_is_read",
    "tests/rules/test_seed_csv.py",
    "tests/rules/test_strategies.py",
    "tests/unit/test_workbooks.py",
)
# What SQL, dbt's inside or a build decides. The rest is the same with the oldest versions: ruff and
# mypy hold all code to that Python, and the readers, settings, pages, routes and the embedded
# server, of which there is one version, know neither dbt nor another PostgreSQL.
OLDEST = (
    "packages/dbt-pgcopy/tests/server/",
    "packages/dbt-warm/tests/test_events.py",
    "packages/dbt-warm/tests/test_invoke.py",
    "packages/dbt-warm/tests/test_warm.py",
    "packages/pgrest-query/tests/test_answers.py",
    "packages/pgrest-query/tests/test_safety.py",
    "tests/integration/test_build.py",
    "tests/integration/test_dbt.py",
    "tests/integration/test_dbt_commands.py",
    "tests/integration/test_environment.py::test_a_build_on_a_server_of_ones_own",
    "tests/integration/test_publishing.py",
    "tests/integration/test_recovery.py",
    "tests/integration/test_rules.py",
    "tests/integration/test_schema.py",
    "tests/integration/test_worker.py::test_a_cancelled_run_leaves_the_marts_and_no_session",
    "tests/integration/test_worker.py::test_a_run_tells_what_happens_in_order",
    "tests/integration/web/test_builds.py",
    "tests/integration/web/test_changes.py",
    "tests/integration/web/test_marts.py",
    "tests/integration/web/test_package.py::test_what_it_is_made_of_is_not_dropped_meanwhile",
    "tests/integration/web/test_runs.py",
    "tests/integration/web/test_streams.py",
)
# Its tests import what need not be installed.
collect_ignore = [] if find_spec("pyspark") else ["packages/dbt-sparkcopy/tests"]
TIERS = {"browser": BROWSER, "network": NETWORK, "slow": SLOW, "oldest": OLDEST, "spark": SPARK}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with its tiers, and begin with those that take long."""
    for item in items:
        for tier, beginnings in TIERS.items():
            if item.nodeid.startswith(beginnings):
                item.add_marker(tier)
    # Two processes then end together: what is left for the end is small.
    items.sort(key=weight)


class Scheduling(LoadScopeScheduling):
    """What goes to a process as one: a file, a class, and all that share one service to look at."""

    def _split_scope(self, nodeid: str) -> str:
        return BROWSER[0] if nodeid.startswith(BROWSER) else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scheduling:
    """In the place of `--dist loadscope`, which would start Elute and Chromium in each process."""
    return Scheduling(config, log)


def weight(item: pytest.Item) -> int:
    """A file of slow tests, a class of them, then the others: what goes to a process as one."""
    if item.get_closest_marker("slow") is None:
        return 2
    return 0 if item.getparent(pytest.Class) is None else 1
