"""The CSV reader that loads the files, compared with the rules: it names the file and the line."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from seed_csv import Report, check

from tests.rules.model import COLUMNS
from tests.rules.reader import FIELDS_MISSING, read_table
from tests.rules.strategies import FAULTS, Malformed, dirty_files, malformed_files

RELAXED = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def checked(folder: Path, files: dict[str, bytes]) -> dict[str, Report]:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return {
        name: check(folder / name, [*columns, FIELDS_MISSING]) for name, columns in COLUMNS.items()
    }


@RELAXED
@given(files=dirty_files())
def test_dirty_files_are_whole(tmp_path: Path, files: dict[str, bytes]) -> None:
    for name, report in checked(tmp_path, files).items():
        assert report.problems == ()
        assert report.records == len(read_table(name, files[name], COLUMNS[name]))


@pytest.mark.parametrize("fault", FAULTS)
@settings(RELAXED, max_examples=25)
@given(data=st.data())
def test_a_fault_is_found_where_it_is(tmp_path: Path, fault: str, data: st.DataObject) -> None:
    malformed: Malformed = data.draw(malformed_files(fault))
    reports = checked(tmp_path, malformed.files)
    [faulty] = [report for report in reports.values() if report.problems]
    assert faulty.file == malformed.file
    first = faulty.problems[0]
    # A fault of the whole header may be told of the file.
    assert first.line in (malformed.line, None)
    assert str(first).startswith(malformed.file)
