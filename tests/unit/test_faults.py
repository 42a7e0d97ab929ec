"""What an error of the database means, by its SQLSTATE."""

import pytest
from psycopg2 import errors

from elute.database import faults


@pytest.mark.parametrize(
    ("sqlstate", "title", "is_tried_again"),
    [
        ("25006", "The database is read-only", True),
        ("25P04", "No database", True),
        ("40P01", "Busy", True),
        ("40001", "Busy", True),
        ("53100", "The disk is full", False),
        ("53400", "Too much for the database", False),
        ("55P03", "Busy", False),
        ("57P01", "No database", True),
    ],
)
def test_it_is_no_fault_of_the_files_nor_of_the_project(
    sqlstate: str, title: str, is_tried_again: bool
) -> None:
    said = faults.of_messages([f"Database Error in model user_summary\n  SQLSTATE {sqlstate}"])
    assert said
    assert (said.title, said.ends_sessions) == (title, is_tried_again)


@pytest.mark.parametrize("sqlstate", ["42703", "22012", "23505"])
def test_what_is_wrong_with_a_query_is_no_fault_of_the_database(sqlstate: str) -> None:
    assert faults.of_messages([f"SQLSTATE {sqlstate}"]) is None
    assert faults.of_error(errors.lookup(sqlstate)()) is None
