"""Runs whose worker died are found, marked, and tried again once."""

import time

from elute.database.faults import Fault
from elute.database.queries import execute
from elute.database.sessions import Session
from elute.failures import STAYS
from elute.runs.run import Run
from elute.worker.run_outcome import (
    end_by_fault,
    finish,
    finish_and_retry,
    has_published,
    session_name,
)

_WITHIN = 10.0  # seconds for the sessions of a run to end
_WORKER_GONE = "The worker that ran it ended, or lost its connection to the database."
_TERMINAL_GONE = "The terminal it ran in was closed, or its process was killed."


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


def _recover(session: Session, run: Run, fault: Fault | None) -> None:
    end_sessions(session, run.run_id)
    if has_published(session, run_id=run.run_id, invocation_id=None):
        finish(session, run.run_id, "succeeded")
        return
    if fault is None:
        error = f"{_WORKER_GONE} {STAYS}"
        finish_and_retry(session, run, "crashed", error_kind="elute", error=error)
    else:
        end_by_fault(session, run, fault, f"{fault.detail} {STAYS}")


def _running(session: Session) -> list[Run]:
    return [Run(**values) for values in execute(session, "running")]
