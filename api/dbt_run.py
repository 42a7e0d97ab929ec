"""The one place that calls dbt."""

import gc
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dbt_common.events.base_types import EventMsg


@dataclass
class Outcome:
    """How a run of dbt ended.

    Attributes:
        succeeded: every node did what it should.
        failures: node and what it said, for each one that failed; empty if dbt itself did.
        findings: what failed audits found, in the words of the audits.
        crash: why dbt could not run at all; None if it did.
        interrupted: it was stopped by Ctrl-C.
    """

    succeeded: bool = False
    failures: list[tuple[str, str]] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    crash: str | None = None
    interrupted: bool = False


def run_dbt(arguments: Sequence[str]) -> Outcome:
    """Run dbt in this process, once; its output goes to the terminal.

    Args:
        arguments: as on dbt's command line, such as ``["build", "--full-refresh"]``.
    """
    from dbt.cli.main import dbtRunner  # noqa: PLC0415 (slow to import)

    # One run makes little garbage; looking for it takes a twentieth of dbt's time.
    gc.disable()
    outcome = Outcome()

    def listen(event: "EventMsg") -> None:
        # What the project's macro explain_failed_audits logs.
        if event.info.name == "JinjaLogInfo":
            outcome.findings.append(event.info.msg)  # type: ignore[attr-defined]

    try:
        result = dbtRunner(callbacks=[listen]).invoke(list(arguments))
    except KeyboardInterrupt:
        outcome.interrupted = True
        return outcome
    outcome.succeeded = result.success
    outcome.crash = _first_paragraph(str(result.exception)) if result.exception else None
    outcome.failures = [
        (node.node.name, node.message or "")
        for node in getattr(result.result, "results", None) or []
        if node.status in ("error", "fail", "runtime error")
    ]
    return outcome


def _first_paragraph(text: str) -> str:
    return text.strip().split("\n\n")[0]
