"""The strategies keep their promises, and the model agrees with them."""

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings

from tests.rules.model import (
    COLUMNS,
    LOOKS,
    PROBLEMS,
    USER_SUMMARY_COLUMNS,
    MalformedFile,
    Result,
    build,
    files_that_stop_the_build,
)
from tests.rules.strategies import FAULTS, Malformed, dirty_files, malformed_files

FIRST_FOUND = settings(
    phases=[Phase.generate],
    max_examples=1000,
    database=None,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def problems(files: dict[str, bytes]) -> set[str]:
    return {issue["problem"].split(LOOKS)[0] for issue in build(files).data_issues}


def check(result: Result) -> None:
    """What holds for any files."""
    actions = Counter((issue["source_file"], issue["action"]) for issue in result.data_issues)
    for row in result.input_summary:
        assert row["read"] == row["kept"] + row["dropped"]
        assert row["dropped"] == actions[row["source_file"], "record dropped"]
    records = Counter(
        (issue["source_file"], issue["record_number"]) for issue in result.data_issues
    )
    for issue in result.data_issues:
        assert tuple(issue["record"]) == COLUMNS[issue["source_file"]]
        if issue["action"] == "record dropped":
            assert records[issue["source_file"], issue["record_number"]] == 1
    users, experiments, compounds = result.input_summary
    assert [row["source_file"] for row in result.input_summary] == list(COLUMNS)
    assert all(tuple(row) == USER_SUMMARY_COLUMNS for row in result.user_summary)
    assert len({row["user_id"] for row in result.user_summary}) == users["kept"]
    assert sum(row["experiment_count"] for row in result.user_summary) == experiments["kept"]
    assert len(result.compound_usage) == compounds["kept"]
    lowest = {row["user_id"]: row["compound_id"] for row in reversed(result.user_top_compounds)}
    for row in result.user_summary:
        assert row["compound_id"] == lowest.get(row["user_id"])


@settings(deadline=None)
@given(dirty_files(usable=False))
def test_dirty_files_can_be_read(files: dict[str, bytes]) -> None:
    check(build(files))


@settings(deadline=None)
@given(dirty_files())
def test_usable_files_have_something_to_keep(files: dict[str, bytes]) -> None:
    result = build(files)
    check(result)
    assert files_that_stop_the_build(result, Fraction(1)) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_malformed_files_cannot_be_read(fault: str) -> None:
    @settings(deadline=None, max_examples=50)
    @given(malformed_files(fault))
    def check_fault(malformed: Malformed) -> None:
        with pytest.raises(MalformedFile) as caught:
            build(malformed.files)
        assert (caught.value.file, caught.value.line) == (malformed.file, malformed.line)

    check_fault()


@pytest.mark.parametrize("problem", [each for group in PROBLEMS.values() for each in group])
def test_each_problem_is_drawn(problem: str) -> None:
    find(dirty_files(), lambda files: problem in problems(files), settings=FIRST_FOUND)


def test_ties_are_drawn() -> None:
    def has_tie(files: dict[str, bytes]) -> bool:
        result = build(files)
        return any(
            count > 1
            for count in Counter(row["user_id"] for row in result.user_top_compounds).values()
        )

    find(dirty_files(), has_tie, settings=FIRST_FOUND)
