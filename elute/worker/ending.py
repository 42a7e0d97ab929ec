"""What is noted when a run ends, and trying again what ended through no fault of its own."""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from typing import Any

from psycopg2 import errors

from elute.database.sessions import Session
from elute.runs import queue
from elute.runs.run import Run
from elute.worker.events import now

logger = logging.getLogger("elute.worker")


@contextlib.contextmanager
def transaction(session: Session) -> Iterator[None]:
    """All or nothing of what is done within, on a session in autocommit mode."""
    with session.cursor() as cursor:
        cursor.execute("begin")
        try:
            yield
        except BaseException:
            if not session.closed:
                cursor.execute("rollback")
            raise
        cursor.execute("commit")


def finish(
    session: Session,
    run_id: int,
    state: str,
    *,
    error_kind: str | None = None,
    error: str | None = None,
) -> None:
    """Note how a run ended, and its last event, both or none."""
    inputs = _inputs(session) if state == "succeeded" else None
    data = {"state": state, "error_kind": error_kind, "error": error}
    with transaction(session):
        ended = queue.finish(
            session, run_id, state, error_kind=error_kind, error=error, inputs=inputs
        )
        if ended:
            queue.append_events(session, run_id, [(now(), "finished", data)])
    logger.info("Run %d: %s%s", run_id, state, f": {error}" if error else "")


def has_published(session: Session, *, run_id: int | None, invocation_id: str | None) -> bool:
    """Whether the build of a run is published; ask when none of its sessions is left.

    Args:
        session: in autocommit mode.
        run_id: of a run of the worker.
        invocation_id: dbt's, of a run in a terminal.
    """
    values = {"run_id": run_id, "invocation_id": invocation_id}
    [row] = queue.execute(session, "has_published", values)
    return bool(row["has_published"])


def finish_and_try_again(
    session: Session, run: Run, state: str, *, error_kind: str | None, error: str | None
) -> None:
    """Note how a run ended, and ask for one that makes up for it, unless it did so itself.

    Whoever sees that it has ended sees the other one too.
    """
    with transaction(session):
        asked = queue.get(session, run.run_id)
        if asked and asked.cancel_requested_at:  # In its last moment.
            state, error_kind, error = "cancelled", None, None
        elif run.trigger != "terminal" and run.retry_of is None:
            _try_again(session, run)
        data = {"state": state, "error_kind": error_kind, "error": error}
        queue.finish(session, run.run_id, state, error_kind=error_kind, error=error)
        queue.append_events(session, run.run_id, [(now(), "finished", data)])
    logger.info("Run %d: %s: %s", run.run_id, state, error)


def _try_again(session: Session, run: Run) -> None:
    try:
        again = queue.request(
            session, run.trigger, run.requested_by, run.options, retry_of=run.run_id
        )
    except queue.OtherOptionsError:
        logger.warning("Run %d is not tried again: another one waits already.", run.run_id)
    else:
        logger.info("Run %d is tried again as run %d.", run.run_id, again.run_id)


def _inputs(session: Session) -> list[dict[str, Any]] | None:
    try:
        [row] = queue.execute(session, "input_summary")
    except (errors.UndefinedTable, errors.UndefinedColumn):
        return None  # A build in a terminal may have been of another part.
    [inputs] = row.values()
    return list(inputs)


def names_of_sessions(run_id: int) -> str:
    """What the database sessions of a run's dbt are called, or begin with."""
    return f"elute run {run_id}"


def sessions_of(session: Session, run_id: int) -> Sequence[int]:
    """The server's processes that still work for a run."""
    rows = queue.execute(session, "backends", {"name": names_of_sessions(run_id)})
    return [row["pid"] for row in rows]
