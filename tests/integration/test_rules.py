"""Real builds of dirty files, compared with the plain Python model of the rules."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from dbt_warm import WarmDbt
from hypothesis import HealthCheck, given, settings

from elute.settings import CHECKOUT
from tests.integration.conftest import QUICKER, Laboratory
from tests.rules.model import build as model
from tests.rules.strategies import dirty_files

Dbt = Callable[..., int]
# One build takes about a second, whatever the size of its files. So many of this size find as many
# of the faults that can be put into the model as 40 of size 1.
EXAMPLES, SIZE = 12, 4
SELECTED = [*QUICKER, "--exclude-resource-type", "exposure"]
# By any means: a set-up that a failing example may leave behind does not matter to the next.
RELAXED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def dbt(one_laboratory: Laboratory) -> Iterator[Dbt]:
    """Run dbt with these arguments, warm, and return its exit status."""
    ratios = {"ELUTE_MAX_DROPPED_RATIO": "1", "ELUTE_MAX_NULLED_RATIO": "1"}
    environment = one_laboratory.exported(**ratios)
    with WarmDbt(CHECKOUT / "dbt_project", CHECKOUT, environment=lambda: environment) as warm:

        def run(*arguments: str) -> int:
            invocation = warm.invoke(arguments)
            for _ in invocation:
                pass
            assert invocation.is_warm
            assert invocation.outcome
            return 0 if invocation.outcome.succeeded else 1

        yield run


def plain(row: dict[str, Any]) -> str:
    """A row as text that is equal if and only if the row is."""
    return json.dumps(row, default=str, sort_keys=True, ensure_ascii=False)


def as_counter(rows: list[dict[str, Any]]) -> Counter[str]:
    return Counter(map(plain, rows))


@RELAXED
@given(files=dirty_files(size=SIZE))
def test_dirty_files_give_what_the_rules_say(
    laboratory: Laboratory, dbt: Dbt, files: dict[str, bytes]
) -> None:
    laboratory.write(files)
    assert dbt("--quiet", "build", *SELECTED) == 0
    expected = model(files)
    for mart in ("user_summary", "user_top_compounds", "compound_usage", "data_issues"):
        found = laboratory.rows(f"select * from marts.{mart}")
        assert as_counter(found) == as_counter(getattr(expected, mart)), mart
    found = laboratory.rows("""
        select
            source_file, records_read as read, records_kept as kept, records_dropped as dropped,
            values_nulled as nulled, entries_ignored as ignored
        from marts.input_summary
    """)
    assert as_counter(found) == as_counter(expected.input_summary)
