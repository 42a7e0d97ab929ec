"""What is known of a run, and of what happened in it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any

ENDED = ("succeeded", "failed", "cancelled", "stopped", "crashed")
STATES = ("queued", "running", *ENDED)
TRIGGERS = ("http", "schedule", "file change", "first build", "terminal")


def now() -> datetime:
    """This moment, with its time zone."""
    return datetime.now(timezone.utc)


@dataclass(frozen=True)
class Run:
    """One row of `elute.runs`; the comments there say what each column means.

    `state` is queued, running, succeeded, failed, cancelled, stopped (its worker was told to end)
    or crashed (its worker, or its sessions with the database, went away).
    """

    run_id: int
    trigger: str
    requested_by: str | None
    options: dict[str, Any]
    state: str
    request_count: int
    retry_of: int | None
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    cancel_requested_at: datetime | None
    is_warm: bool | None
    node_count: int | None
    error_kind: str | None
    error: str | None
    inputs: list[dict[str, Any]] | None
    warnings: list[str]

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen in it."""
        return self.state in ENDED

    @property
    def seconds(self) -> float | None:
        """From its start to its end; None if it has not both."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()

    def as_json(self) -> dict[str, Any]:
        """What the HTTP API shows of it; times in ISO 8601 with their offset."""
        fields = {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in asdict(self).items()
        }
        return {**fields, "seconds": self.seconds}


def warned(names: Sequence[str]) -> str:
    """A sentence with the names of the nodes that warned; nothing without any."""
    if not names:
        return ""
    return f"{len(names)} warning{'s' if len(names) > 1 else ''}: {', '.join(names)}."


@dataclass(frozen=True)
class Event:
    """Something that happened in a run.

    Kinds and their data:
        started: is_warm, files (size and time of change of each, as they were read)
        nodes: node_count, known once dbt has planned
        node_started: node (its unique id), name, resource_type, position
        node_finished: the same, and status, seconds, message, rows
        log: level, message
        finished: state, error_kind, error
    """

    event_number: int
    happened_at: datetime
    kind: str
    data: dict[str, Any]
