"""How runs end: noted, tried again if it was no fault of theirs, and found if nobody saw it."""

import logging
import time
from contextlib import suppress
from typing import Any

from immutable_builds import STAYS
from psycopg2 import errors, sql

from elute.database.faults import Fault
from elute.database.queries import execute
from elute.database.sessions import Session
from elute.provenance import project_sha256
from elute.runs import queue
from elute.runs.run import Run, now

_WITHIN = 10.0  # seconds for the sessions of a run to end
_WORKER_GONE = f"The worker that ran it ended, or lost its connection to the database. {STAYS}"
_TERMINAL_GONE = "The terminal it ran in was closed, or its process was killed."
_INPUTS = sql.SQL("select jsonb_agg(to_jsonb(mart) order by source_file desc) from {} as mart")
logger = logging.getLogger("elute.worker")


def session_name(run_id: int) -> str:
    """What the database sessions of a run's dbt are called, or begin with."""
    return f"elute run {run_id}"


def finish(
    session: Session,
    run_id: int,
    state: str,
    *,
    error_kind: str | None = None,
    error: str | None = None,
) -> None:
    """Note how a run ended, and its last event, both or none."""
    inputs = None
    if state == "succeeded":
        inputs = _inputs(session, run_id)
        noted = {"run_id": run_id, "project": project_sha256()}
        execute(session, "forget_project", noted)
    with session:  # a transaction
        _note(session, run_id, {"state": state, "error_kind": error_kind, "error": error}, inputs)


def finish_and_retry(
    session: Session, run: Run, state: str, *, error_kind: str | None, error: str | None
) -> None:
    """Note how a run ended, and ask for one that makes up for it, unless it did so itself.

    Whoever sees that it has ended sees the other one too.
    """
    how = {"state": state, "error_kind": error_kind, "error": error}
    with session:  # a transaction
        current = queue.get(session, run.run_id)
        if current and current.cancel_requested_at:  # In its last moment.
            how = {"state": "cancelled", "error_kind": None, "error": None}
        elif current and not current.has_ended and _may_try_again(current):
            _retry(session, run)  # Before it ends: what is tried again is no news.
        _note(session, run.run_id, how)


def end_by_fault(session: Session, run: Run, fault: Fault, error: str) -> None:
    """Note that the database ended a run, and try it again if that can do better."""
    if fault.ends_sessions:
        finish_and_retry(session, run, "crashed", error_kind="database", error=error)
    else:
        finish(session, run.run_id, "failed", error_kind="database", error=error)


def recover(session: Session, fault: Fault | None = None) -> None:
    """End the runs that say that they go on, and whose worker does not live.

    For the active worker, when it becomes that.

    Args:
        session: holds the lock `lock_worker`, so that no other worker runs anything.
        fault: why we lost our own session meanwhile, if we did.
    """
    for run in _running(session):
        if run.trigger != "terminal":
            _recover(session, run, fault)
    recover_terminal(session)


def recover_terminal(session: Session) -> None:
    """End the runs in terminals that are no longer there."""
    for run in _running(session):
        number = {"run_id": run.run_id}
        if run.trigger == "terminal" and execute(session, "lock_run", number)[0]["is_locked"]:
            finish(session, run.run_id, "crashed", error_kind="elute", error=_TERMINAL_GONE)
            execute(session, "unlock_run", number)


def end_sessions(session: Session, run_id: int) -> bool:
    """End what the database still does for a run; False if something would not end in time."""
    deadline, name = time.monotonic() + _WITHIN, {"name": session_name(run_id)}
    while execute(session, "backends", name):
        execute(session, "terminate_backends", name)
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _note(
    session: Session, run_id: int, how: dict[str, Any], inputs: list[dict[str, Any]] | None = None
) -> None:
    """Note it with the run, and as its last event, unless somebody has done so already."""
    if queue.finish(session, run_id, **how, inputs=inputs):
        queue.append_events(session, run_id, [(now(), "finished", how)])
    error = how["error"]
    logger.info("Run %d: %s%s", run_id, how["state"], f": {error}" if error else "")


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
    """What the mart `input_summary` says in the build that a run published; None without one."""
    # A build in a terminal may have been of another part.
    with suppress(errors.UndefinedTable, errors.UndefinedColumn), session.cursor() as cursor:
        for row in execute(session, "table_of_run", {"run_id": run_id, "mart": "input_summary"}):
            if table := row["entry"]:
                cursor.execute(_INPUTS.format(sql.Identifier(table["schema"], table["table"])))
                [[inputs]] = cursor.fetchall()
                return inputs  # type: ignore[no-any-return]
    return None


def _recover(session: Session, run: Run, fault: Fault | None) -> None:
    end_sessions(session, run.run_id)
    if queue.has_published(session, run_id=run.run_id):
        finish(session, run.run_id, "succeeded")
    elif fault:
        end_by_fault(session, run, fault, f"{fault.detail} {STAYS}")
    else:
        finish_and_retry(session, run, "crashed", error_kind="elute", error=_WORKER_GONE)


def _running(session: Session) -> list[Run]:
    return [Run(**values) for values in execute(session, "running")]
