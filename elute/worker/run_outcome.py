"""How a run ended: noted, and the run tried again if it ended through no fault of its own."""

import logging
from typing import Any

from psycopg2 import errors

from elute.database.faults import Fault
from elute.database.queries import execute
from elute.database.sessions import Session
from elute.runs import queue
from elute.runs.run import Run, now

logger = logging.getLogger("elute.worker")


def finish(
    session: Session,
    run_id: int,
    state: str,
    *,
    error_kind: str | None = None,
    error: str | None = None,
) -> None:
    """Note how a run ended, and its last event, both or none."""
    inputs = _inputs(session, run_id) if state == "succeeded" else None
    with session:  # a transaction
        _note(session, run_id, {"state": state, "error_kind": error_kind, "error": error}, inputs)


def has_published(session: Session, *, run_id: int | None, invocation_id: str | None) -> bool:
    """Whether the build of a run is published; ask when none of its sessions is left.

    Args:
        session: in autocommit mode.
        run_id: of a run of the worker.
        invocation_id: dbt's, of a run in a terminal.
    """
    values = {"run_id": run_id, "invocation_id": invocation_id}
    [row] = execute(session, "has_published", values)
    return bool(row["has_published"])


def finish_and_retry(
    session: Session, run: Run, state: str, *, error_kind: str | None, error: str | None
) -> None:
    """Note how a run ended, and ask for one that makes up for it, unless it did so itself.

    Whoever sees that it has ended sees the other one too.
    """
    how = {"state": state, "error_kind": error_kind, "error": error}
    with session:  # a transaction
        current = queue.get(session, run.run_id)
        is_cancelled = current is not None and current.cancel_requested_at  # In its last moment.
        if is_cancelled:
            how = {"state": "cancelled", "error_kind": None, "error": None}
        ended = _note(session, run.run_id, how)
        if ended and not is_cancelled and _may_try_again(ended):
            _retry(session, run)


def end_by_fault(session: Session, run: Run, fault: Fault, error: str) -> None:
    """Note that the database ended a run, and try it again if that can do better."""
    if fault.ends_sessions:
        finish_and_retry(session, run, "crashed", error_kind="database", error=error)
    else:
        finish(session, run.run_id, "failed", error_kind="database", error=error)


def _note(
    session: Session, run_id: int, how: dict[str, Any], inputs: list[dict[str, Any]] | None = None
) -> Run | None:
    """Note it with the run, and as its last event; None if somebody has done so already."""
    ended = queue.finish(session, run_id, **how, inputs=inputs)
    if ended:
        queue.append_events(session, run_id, [(now(), "finished", how)])
    error = how["error"]
    logger.info("Run %d: %s%s", run_id, how["state"], f": {error}" if error else "")
    return ended


def _may_try_again(run: Run) -> bool:
    """Whether somebody asked for it who has had no second try."""
    asked_for = run.request_count - (run.retry_of is not None)
    return run.trigger != "terminal" and asked_for > 0


def _retry(session: Session, run: Run) -> None:
    try:
        again = queue.request(
            session, run.trigger, run.requested_by, run.options, retry_of=run.run_id
        )
    except queue.OtherOptionsError:
        logger.warning("Run %d is not tried again: another one waits already.", run.run_id)
    else:
        logger.info("Run %d is tried again as run %d.", run.run_id, again.run_id)


def _inputs(session: Session, run_id: int) -> list[dict[str, Any]] | None:
    try:
        [row] = execute(session, "input_summary", {"run_id": run_id})
    except (errors.UndefinedTable, errors.UndefinedColumn):
        return None  # A build in a terminal may have been of another part.
    inputs: list[dict[str, Any]] | None = row["inputs"]
    return inputs


def session_name(run_id: int) -> str:
    """What the database sessions of a run's dbt are called, or begin with."""
    return f"elute run {run_id}"
