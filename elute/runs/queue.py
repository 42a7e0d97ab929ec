"""Ask for runs, follow them, cancel them and note what became of them.

Every function takes a session in autocommit mode, whose statements each stand alone. Whatever
changes something wakes those who LISTEN on the channel elute_runs, with the run's id as payload.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg2.extras import Json

from elute.database.queries import execute
from elute.database.sessions import Session
from elute.errors import EluteError
from elute.runs.run import Event, Run


class OtherOptionsError(EluteError):
    """A run waits that was asked for with other options, so it cannot be joined."""


class OtherRequestError(EluteError):
    """Something else was asked for with this key."""


def request(
    session: Session,
    trigger: str,
    requested_by: str | None = None,
    options: Mapping[str, Any] | None = None,
    retry_of: int | None = None,
) -> Run:
    """Queue a run, or join the one that waits.

    Args:
        session: in autocommit mode.
        trigger: "http", "schedule", "file change" or "first build".
        requested_by: who asked, for people to read.
        options: `max_dropped_ratio`, or nothing.
        retry_of: the run that this one makes up for.

    Raises:
        OtherOptionsError: the run that waits has other options.
    """
    wanted = dict(options or {})
    values = {
        "trigger": trigger,
        "requested_by": requested_by,
        "options": Json(wanted),
        "retry_of": retry_of,
    }
    run = Run(**_one(session, "request", values))
    if run.options != wanted:
        raise OtherOptionsError(
            f"Run {run.run_id} waits and has other options. "
            "Wait until it has started, or cancel it, and trigger again."
        )
    _notify(session, run.run_id)
    return run


def once(session: Session, key: str, wanted: Mapping[str, Any], ask: Callable[[], Run]) -> Run:
    """The run that `ask` gives, or the one that it gave for this key within the last day.

    Args:
        session: in autocommit mode.
        key: that whoever asks has made up.
        wanted: what is asked for.
        ask: asks for it, with that session.

    Raises:
        OtherRequestError: with this key something else was asked for.
    """
    with session:  # a transaction
        execute(session, "forget_keys")
        if execute(session, "take_key", {"key": key, "request": Json(dict(wanted))}):
            run = ask()
            execute(session, "note_key", {"key": key, "run_id": run.run_id})
            return run
        [known] = execute(session, "find_key", {"key": key})
        if known["request"] != wanted:
            raise OtherRequestError(
                "This Idempotency-Key was sent with another request. Send this one with a new key."
            )
        return Run(**_one(session, "get", {"run_id": known["run_id"]}))


def note_terminal(session: Session, requested_by: str, arguments: Sequence[str]) -> Run:
    """Note a build that goes on in a terminal."""
    values = {"requested_by": requested_by, "options": Json({"arguments": list(arguments)})}
    run = Run(**_one(session, "note_terminal", values))
    _notify(session, run.run_id)
    return run


def start_next(session: Session) -> Run | None:
    """Mark the waiting run, if there is one, as going on, and return it."""
    run = _run(session, "start_next")
    if run:
        _notify(session, run.run_id)
    return run


def describe(
    session: Session, run_id: int, is_warm: bool | None = None, node_count: int | None = None
) -> None:
    """Note whether dbt was warm, and how many nodes the run has."""
    values = {"run_id": run_id, "is_warm": is_warm, "node_count": node_count}
    execute(session, "describe", values)


def finish(  # noqa: PLR0913
    session: Session,
    run_id: int,
    state: str,
    *,
    error_kind: str | None = None,
    error: str | None = None,
    inputs: Sequence[Mapping[str, Any]] | None = None,
) -> Run | None:
    """Note how a run ended; None if somebody has done so already."""
    values = {
        "run_id": run_id,
        "state": state,
        "error_kind": error_kind,
        "error": error,
        "inputs": None if inputs is None else Json(list(inputs)),
    }
    run = _run(session, "finish", values)
    _notify(session, run_id)
    return run


def cancel(session: Session, run_id: int) -> Run | None:
    """Cancel a run that waits, ask one that goes on to stop; None if there is none to cancel.

    A build in a terminal is not ours to cancel.
    """
    run = _run(session, "cancel", {"run_id": run_id})
    _notify(session, run_id)
    return run


def get(session: Session, run_id: int) -> Run | None:
    """One run."""
    return _run(session, "get", {"run_id": run_id})


def latest_try(session: Session, run_id: int) -> Run | None:
    """The run; if it broke off, the last of those that make up for it."""
    return _run(session, "latest_try", {"run_id": run_id})


def page(
    session: Session, limit: int = 50, before: int | None = None, state: str | None = None
) -> list[Run]:
    """The newest runs, or those before `before`, the newest first."""
    values = {"limit": limit, "before": before, "state": state}
    return [Run(**row) for row in execute(session, "page", values)]


def append_events(
    session: Session, run_id: int, events: Sequence[tuple[datetime, str, Mapping[str, Any]]]
) -> None:
    """Store what happened in a run: when, its kind, and its data; see `Event`.

    How many nodes it has is noted with the run, too.
    """
    if not events:
        return
    moments, kinds, data = zip(*events, strict=True)
    values = {
        "run_id": run_id,
        "happened_at": list(moments),
        "kind": list(kinds),
        "data": [Json(entry) for entry in data],
    }
    for _, kind, entry in events:
        if kind == "nodes":
            describe(session, run_id, **entry)
    execute(session, "append_events", values)
    _notify(session, run_id)


def events_after(session: Session, run_id: int, after: int = 0, limit: int = 1000) -> list[Event]:
    """What happened in a run after event number `after`, in order."""
    values = {"run_id": run_id, "after": after, "limit": limit}
    return [Event(**row) for row in execute(session, "events_after", values)]


def has_worker(session: Session) -> bool:
    """Whether some worker takes up the runs that wait."""
    return bool(_one(session, "has_worker", {})["has_worker"])


def has_published(
    session: Session, *, run_id: int | None = None, invocation_id: str | None = None
) -> bool:
    """Whether the build of a run is published; ask when none of its sessions is left.

    Args:
        session: in autocommit mode.
        run_id: of a run of the worker.
        invocation_id: dbt's, of a run in a terminal.
    """
    values = {"run_id": run_id, "invocation_id": invocation_id}
    return bool(_one(session, "has_published", values)["has_published"])


def usual_seconds(session: Session) -> float | None:
    """How long a run usually takes: the median of the latest successful ones."""
    seconds = sorted(row["seconds"] for row in execute(session, "usual_durations"))
    return seconds[len(seconds) // 2] if seconds else None


def _run(session: Session, name: str, values: Mapping[str, Any] | None = None) -> Run | None:
    rows = execute(session, name, values)
    return Run(**rows[0]) if rows else None


def _one(session: Session, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    [row] = execute(session, name, values)
    return row


def _notify(session: Session, run_id: int) -> None:
    execute(session, "notify", {"run_id": run_id})
