"""Runs as the HTTP API tells of them."""

from collections.abc import Callable, Iterator
from typing import Any

from immutable_builds import STAYS

from api import database
from api.problems import Problem, full_disk
from elute.database.history import Published
from elute.database.sessions import Session
from elute.runs import queue
from elute.runs.run import Event, Run, warned

MOST_EVENTS = 1000  # read at once
_NO_WORKER = "no worker is running; start `elute serve` or `elute worker`"
_STATUSES = {"queued": 202, "running": 202, "succeeded": 200, "cancelled": 409, "stopped": 503}
_STATUSES_OF_ERRORS = {"input": 422, "build": 500, "database": 503, "elute": 500}


def find(run_id: int, look: Callable[[Session, int], Run | None] = queue.get) -> Run:
    """The run of that number.

    Args:
        run_id: the number.
        look: `queue.latest_try` for the run that makes up for it, if it broke off.

    Raises:
        Problem: 404, there is none.
    """
    run = database.current().owner.read(lambda session: look(session, run_id))
    if run is None:
        raise Problem(404, "No such run", f"There is no run {run_id}; /runs lists those there are.")
    return run


def status_of(run: Run) -> int:
    """The HTTP status that says how a run stands to whoever triggered it."""
    return _STATUSES.get(run.state) or _STATUSES_OF_ERRORS[run.error_kind or "elute"]


def message_of_current(published: Published) -> str:
    """Why nothing is built."""
    moment = published.published_at.isoformat(" ", "minutes")
    return (
        f"Already current: build {published.build}, published at {moment}, was made from these "
        "files, with this project and these options. ?force=1 builds all the same."
    )


def message_of(run: Run, has_worker: bool = True) -> str:
    """How a run stands, in a sentence or two."""
    if not run.has_ended and (fault := full_disk()):
        return f"Run {run.run_id} has not ended. {fault.detail}"
    if run.state == "queued":
        return f"Run {run.run_id} waits{'.' if has_worker else f': {_NO_WORKER}.'}"
    if run.state == "running":
        stops = "is being cancelled" if run.cancel_requested_at else "is going on"
        return f"Run {run.run_id} {stops}."
    if run.state == "succeeded":
        took = "" if run.seconds is None else f" in {run.seconds:.1f} seconds"
        # One of a part may have published nothing.
        built = f"Built{' and published' if run.inputs else ''}{took}."
        return " ".join(filter(None, [built, warned(run.warnings), *_counts(run)]))
    said = {
        "cancelled": f"Run {run.run_id} was cancelled. {STAYS}",
        "stopped": f"Run {run.run_id} was stopped, because its worker was. Trigger again.",
    }
    return run.error or said.get(run.state, f"Run {run.run_id} {run.state}.")


def events_of(run_id: int, after: int = 0) -> Iterator[Event]:
    """What has happened in a run until now, in order; read in parts."""
    while True:
        events = read_events(run_id, after)
        yield from events
        if len(events) < MOST_EVENTS:
            return
        after = events[-1].event_number


def read_events(run_id: int, after: int) -> list[Event]:
    """The first part of what has happened after an event."""
    return database.current().owner.read(
        lambda session: queue.events_after(session, run_id, after, MOST_EVENTS)
    )


def nodes_of(run_id: int) -> list[dict[str, Any]]:
    """The nodes that have started, in that order, each with what is known of it."""
    nodes: dict[str, dict[str, Any]] = {}
    for event in events_of(run_id):
        if event.kind not in ("node_started", "node_finished"):
            continue
        node = nodes.setdefault(event.data["node"], {"status": "running"})
        node.update(event.data)
        node[event.kind.removeprefix("node_") + "_at"] = event.happened_at.isoformat()
    return sorted(nodes.values(), key=lambda node: node.get("position") or 0)


def _counts(run: Run) -> list[str]:
    return [
        f"{row['source_file']}: {row['records_kept']} of {row['records_read']} records kept."
        for row in run.inputs or []
    ]
