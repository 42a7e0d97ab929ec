"""Why a build failed, in words for the people who can mend it."""

from elute.dbt_run import Outcome

STAYS = "What was published before stays."


def explain(outcome: Outcome) -> str:
    """Why a build failed and what that means, in one paragraph."""
    reasons = list(outcome.findings)
    if outcome.crash:
        reasons.append(outcome.crash)
    if not outcome.findings:
        reasons += [_reason(failure.name, failure.message) for failure in outcome.failures]
    sentences = [" ".join(reason.split()).rstrip(".") + "." for reason in reasons]
    if not sentences or STAYS.rstrip(".") not in sentences[-1]:
        sentences.append(STAYS)
    return " ".join(["The build failed.", *sentences])


def _reason(name: str, message: str) -> str:
    """What a node said, without dbt's heading and without where the compiled SQL lies."""
    lines = [line.strip() for line in message.strip().splitlines()]
    if lines and lines[0].endswith(" failed, error:"):  # of a hook, which says itself what failed
        return " ".join(line for line in lines[1:] if not line.startswith("CONTEXT:"))
    if lines and " Error in " in lines[0]:
        del lines[0]
    text = " ".join(line for line in lines if not line.startswith("compiled code at "))
    return text if text.startswith(f"{name}.csv") else f"{name}: {text}"
