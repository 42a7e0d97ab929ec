"""Who can mend a build that failed, by what dbt said of it."""

import pytest
from dbt_warm import Failure, Outcome
from immutable_builds import STAYS

from elute.failures import error_kind, explain

HEADING = "Database Error in seed users (../seeds/users.csv)\n  "


@pytest.mark.parametrize(
    ("message", "kind", "said"),
    [
        (f"{HEADING}Kein Platz\n  SQLSTATE 53100", "database", "the database is full"),
        (f"{HEADING}Verbindung beendet\n  SQLSTATE 57P01", "database", "ended a session"),
        (f"{HEADING}Verbindung verloren\n  SQLSTATE 08006", "database", "was lost. users: Verb"),
        (f"{HEADING}kein Server\n  SQLSTATE 08001", "database", "cannot be reached"),
        (f"{HEADING}kein Recht\n  SQLSTATE 42501", "build", "users: kein Recht. What"),
        ("[Errno 28] No space left on device: '/home/elute/x'", "database", "ELUTE_HOME is full"),
        (
            "Runtime Error in seed users (../seeds/users.csv)\n  users.csv, line 3: bad",
            "input",
            "bad",
        ),
    ],
)
def test_a_seed_that_failed(message: str, kind: str, said: str) -> None:
    outcome = Outcome("failed", [Failure("users", "seed", message)])
    assert error_kind(outcome) == kind
    assert said in explain(outcome)
    assert "SQLSTATE" not in explain(outcome)


def test_an_error_of_a_model_is_the_projects_own() -> None:
    message = "Database Error in model x (models/x.sql)\n  Division durch Null\n  SQLSTATE 22012"
    outcome = Outcome("failed", [Failure("x", "model", message)])
    assert error_kind(outcome) == "build"
    assert "x: Division durch Null. What was published" in explain(outcome)


def test_a_crash_of_dbt_counts_too() -> None:
    outcome = Outcome("crashed", crash="Database Error\n  refused\nSQLSTATE 08001")
    assert error_kind(outcome) == "database"


def test_of_several_causes_only_the_last_says_that_what_was_published_stays() -> None:
    audit = "assert_files_are_usable"
    said = [
        f"{audit}: {name}.csv: too many were left out. {STAYS}" for name in ("users", "compounds")
    ]
    failures = [Failure(audit, "test", "Got 2 results")]
    told = explain(Outcome("failed", failures, logged=said))
    assert told.count(STAYS) == 1
    assert told.endswith(STAYS)
    assert "users.csv: too many were left out. compounds.csv" in told


def test_what_somebody_elses_macro_logs_hides_no_reason() -> None:
    failure = Failure("x", "model", "Database Error in model x (models/x.sql)\n  division by zero")
    told = explain(Outcome("failed", [failure], logged=["on-run-end of a package"]))
    assert told == f"The build failed. x: division by zero. {STAYS}"
