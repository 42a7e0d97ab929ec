"""Why a build failed: who can mend it, and what to say."""

import re

from dbt_warm import Failure, Outcome
from immutable_builds import STAYS
from seed_csv import absence

from elute.database import faults
from elute.database.faults import Fault, without_sqlstate
from elute.inputs import columns
from elute.settings import CHECKOUT

# The audits whose findings are about the files, not about what we made of them.
_AUDITS_OF_FILES = ("assert_files_are_usable", "assert_values_are_usable")
_NO_NODE = re.compile(r"depends on a node named '(\w+)' which was not found")


def fault_of(outcome: Outcome) -> Fault | None:
    """What was wrong with the database or the machine; None if they are not at fault."""
    said = (failure.message for failure in outcome.failures)
    return faults.of_messages([outcome.crash or "", *said])


def error_kind(outcome: Outcome) -> str:
    """Who can mend a failure: "input" the lab, "database" the server, "build" the project."""
    if fault_of(outcome):
        return "database"
    is_input = any(map(_is_of_a_file, outcome.failures)) or _missing_file(outcome.crash)
    return "input" if is_input else "build"


def explain(outcome: Outcome) -> str:
    """Why a build failed and what that means, in one paragraph."""
    reasons = [_missing_file(outcome.crash) or outcome.crash] if outcome.crash else []
    for failure in outcome.failures:
        # What an audit found: see the macro explain_failed_audits.
        name = f"{failure.name}: "
        found = [line.removeprefix(name) for line in outcome.logged if line.startswith(name)]
        reasons += found or [_reason(failure.name, failure.message)]
    fault = fault_of(outcome)
    if fault:  # One of the nodes that failed will do as an example.
        reasons = [fault.detail, *reasons[-1:]]
    sentences = [" ".join(without_sqlstate(reason).split()).rstrip(".") + "." for reason in reasons]
    if not sentences or STAYS.rstrip(".") not in sentences[-1]:
        sentences.append(STAYS)
    *others, last = sentences
    return " ".join(
        ["The build failed.", *(each.replace(f" {STAYS}", "") for each in others), last]
    )


def _is_of_a_file(failure: Failure) -> bool:
    """Whether one of the lab's files is at fault."""
    if failure.resource_type == "seed":
        return f"{failure.name}.csv" in _reason(failure.name, failure.message)
    return failure.name in _AUDITS_OF_FILES


def _missing_file(crash: str | None) -> str | None:
    """What to say if dbt finds no seed, for even the samples have not its file."""
    found = _NO_NODE.search(crash or "")
    path = CHECKOUT / "seeds" / f"{found[1]}.csv" if found else None
    if path is None or path.name not in columns() or path.exists():
        return None
    return f"{path.name} is missing from the folder {absence(path)}"


def _reason(name: str, message: str) -> str:
    """What a node said, without dbt's heading."""
    lines = [line.strip() for line in message.strip().splitlines()]
    if lines and lines[0].endswith(" failed, error:"):  # of a hook, which says itself what failed
        return " ".join(lines[1:])
    if lines and " Error in " in lines[0]:
        del lines[0]
    text = " ".join(lines)
    return text if text.startswith(f"{name}.csv") else f"{name}: {text}"
