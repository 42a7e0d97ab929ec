"""The one place that calls dbt."""

import gc
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest
    from dbt_common.events.base_types import EventMsg

# The audit whose findings are about the files, not about what we made of them.
_AUDIT_OF_FILES = "assert_files_are_usable"
_LOST = re.compile(
    r"server closed the connection|terminating connection|connection to server|could not connect|"
    r"connection (has been|was|is|already) closed|connection not open|the database system is|"
    r"connection reset|no connection to the server|SSL connection|could not receive data",
    re.IGNORECASE,
)


class Failure(NamedTuple):
    """A node that failed, and what it said."""

    name: str
    resource_type: str
    message: str

    @property
    def is_of_a_file(self) -> bool:
        """Whether one of the lab's files is at fault."""
        if self.resource_type == "seed":
            return f"{self.name}.csv" in self.message
        return self.name == _AUDIT_OF_FILES


@dataclass
class Outcome:
    """How a run of dbt ended.

    Attributes:
        succeeded: every node did what it should.
        failures: the nodes that failed; empty if dbt itself did.
        findings: what failed audits found, in the words of the audits.
        crash: why dbt could not run at all; None if it did.
        interrupted: it was stopped by Ctrl-C.
    """

    succeeded: bool = False
    failures: list[Failure] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    crash: str | None = None
    interrupted: bool = False

    @property
    def error_kind(self) -> str | None:
        """Who can mend it: "input" the lab, "database" the server, "build" the project."""
        if self.succeeded:
            return None
        if any(failure.is_of_a_file for failure in self.failures):
            return "input"
        said = [self.crash or "", *(failure.message for failure in self.failures)]
        return "database" if any(map(_LOST.search, said)) else "build"

    def as_json(self) -> dict[str, Any]:
        """All of it, for another process to read with `from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Outcome":
        """What `as_json` made."""
        failures = [Failure(*failure) for failure in fields["failures"]]
        return cls(**{**fields, "failures": failures})


def run_dbt(
    arguments: Sequence[str],
    manifest: "Manifest | None" = None,
    listen: "Callable[[EventMsg], None] | None" = None,
) -> Outcome:
    """Run dbt in this process, once.

    Args:
        arguments: as on dbt's command line, such as ``["build", "--full-refresh"]``.
        manifest: the project, parsed; without it dbt parses it.
        listen: called with each of dbt's events, from dbt's threads.
    """
    from dbt.cli.main import dbtRunner  # noqa: PLC0415 (slow to import)

    # One run makes little garbage; looking for it takes a twentieth of dbt's time.
    gc.disable()
    outcome = Outcome()

    def note(event: "EventMsg") -> None:
        # What the project's macro explain_failed_audits logs.
        if event.info.name == "JinjaLogInfo":
            outcome.findings.append(event.info.msg)  # type: ignore[attr-defined]

    callbacks = [note, listen] if listen else [note]
    try:
        result = dbtRunner(manifest, callbacks=callbacks).invoke(list(arguments))
    except KeyboardInterrupt:
        outcome.interrupted = True
        return outcome
    outcome.succeeded = result.success
    outcome.interrupted = isinstance(result.exception, KeyboardInterrupt)
    outcome.crash = _first_paragraph(str(result.exception)) if result.exception else None
    outcome.failures = [
        Failure(node.node.name, str(node.node.resource_type), node.message or "")
        for node in getattr(result.result, "results", None) or []
        if node.status in ("error", "fail", "runtime error")
    ]
    return outcome


def _first_paragraph(text: str) -> str:
    return text.strip().split("\n\n")[0]
