"""Why a build failed: who can mend it, and what to say."""

import re

from dbt_warm import Failure, Outcome

STAYS = "What was published before stays."
# The audit whose findings are about the files, not about what we made of them.
_AUDIT_OF_FILES = "assert_files_are_usable"
_LOST = re.compile(
    r"server closed the connection|terminating connection|connection to server|could not connect|"
    r"connection (has been|was|is|already) closed|connection not open|the database system is|"
    r"connection reset|no connection to the server|SSL connection|could not receive data",
    re.IGNORECASE,
)


def error_kind(outcome: Outcome) -> str:
    """Who can mend a failure: "input" the lab, "database" the server, "build" the project."""
    if any(map(_is_of_a_file, outcome.failures)):
        return "input"
    messages = [outcome.crash or "", *(failure.message for failure in outcome.failures)]
    return "database" if any(map(_LOST.search, messages)) else "build"


def explain(outcome: Outcome) -> str:
    """Why a build failed and what that means, in one paragraph."""
    reasons = list(outcome.logged)  # what audits found: see the macro explain_failed_audits
    if outcome.crash:
        reasons.append(outcome.crash)
    if not outcome.logged:
        reasons += [_reason(failure.name, failure.message) for failure in outcome.failures]
    sentences = [" ".join(reason.split()).rstrip(".") + "." for reason in reasons]
    if not sentences or STAYS.rstrip(".") not in sentences[-1]:
        sentences.append(STAYS)
    return " ".join(["The build failed.", *sentences])


def _is_of_a_file(failure: Failure) -> bool:
    """Whether one of the lab's files is at fault."""
    if failure.resource_type == "seed":
        return f"{failure.name}.csv" in failure.message
    return failure.name == _AUDIT_OF_FILES


def _reason(name: str, message: str) -> str:
    """What a node said, without dbt's heading."""
    lines = [line.strip() for line in message.strip().splitlines()]
    if lines and lines[0].endswith(" failed, error:"):  # of a hook, which says itself what failed
        return " ".join(line for line in lines[1:] if not line.startswith("CONTEXT:"))
    if lines and " Error in " in lines[0]:
        del lines[0]
    text = " ".join(lines)
    return text if text.startswith(f"{name}.csv") else f"{name}: {text}"
