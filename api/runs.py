"""`/runs`: ask for builds, look at them, cancel them."""

from typing import Any

import flask
from flask import Blueprint, Response, request, url_for

from api import audit, database, parameters, run_responses
from api.problems import Problem
from elute.database.sessions import Session
from elute.runs import queue
from elute.runs.queue import OtherOptionsError
from elute.runs.run import STATES, Run

blueprint = Blueprint("runs", __name__)
MOST_RUNS = 500
_MOST_RUNS_UNASKED = 50


def ask_for_run() -> tuple[Run, bool]:
    """Queue the run that this request asks for, or join one; and whether a worker will take it up.

    Raises:
        Problem: 400 it asks for something unknown, 409 a run waits that has other options.
    """
    options = parameters.options()

    def ask(session: Session) -> tuple[Run, bool]:
        run = queue.request(session, "http", parameters.requested_by(), options)
        return run, run_responses.has_worker(session)

    try:
        run, has_worker = database.current().owner.read(ask)
    except OtherOptionsError as error:
        raise Problem(409, "Another run waits", str(error)) from error
    audit.note("trigger", f"run {run.run_id}")
    return run, has_worker


def location(run: Run) -> str:
    """Where a run is told of."""
    return url_for("runs.show", run_id=run.run_id)


@blueprint.post("/runs")
def start() -> tuple[dict[str, Any], int, dict[str, str]]:
    """Ask for a run, and do not wait for it."""
    run, has_worker = ask_for_run()
    return _as_json(run, has_worker), 202, {"Location": location(run)}


@blueprint.get("/runs")
def show_some() -> dict[str, Any]:
    """The newest runs, or those before another."""
    limit = parameters.whole_number("limit", 1, MOST_RUNS) or _MOST_RUNS_UNASKED
    before = parameters.whole_number("before", 1, run_responses.LARGEST_ID)
    state = request.args.get("state")
    if state is not None and state not in STATES:
        states = ", ".join(STATES)
        raise Problem(400, "No such state", f"A run's state is one of {states}.")

    def read(session: Session) -> tuple[list[Run], bool]:
        return queue.page(session, limit, before, state), run_responses.has_worker(session)

    runs, has_worker = database.current().owner.read(read)
    following = None
    if len(runs) == limit:
        last = runs[-1].run_id
        following = url_for("runs.show_some", limit=limit, state=state, before=last)
    return {"runs": [_as_json(run, has_worker) for run in runs], "next": following}


@blueprint.get("/runs/<int:run_id>")
def show(run_id: int) -> dict[str, Any]:
    """One run with its nodes, and how long runs usually take, in seconds."""
    run = run_responses.find(run_id)

    def read(session: Session) -> tuple[float | None, bool]:
        return queue.usual_seconds(session), run_responses.has_worker(session)

    usual_seconds, has_worker = database.current().owner.read(read)
    return {
        **_as_json(run, has_worker),
        "usual_seconds": usual_seconds,
        "nodes": run_responses.nodes_of(run_id),
    }


@blueprint.delete("/runs/<int:run_id>")
def cancel(run_id: int) -> tuple[Response, int, dict[str, str]]:
    """Cancel a run that waits, ask one that goes on to stop."""
    run_responses.find(run_id)
    run = database.current().owner.read(lambda session: queue.cancel(session, run_id))
    if run is None:
        ended = run_responses.find(run_id)
        if not ended.has_ended:
            detail = f"Run {run_id} goes on in a terminal: press Ctrl-C there."
            raise Problem(409, "Not to be cancelled from here", detail)
        raise Problem(409, "It has ended", f"Run {run_id} has {_ended(ended)}: nothing to cancel.")
    audit.note("cancel", f"run {run_id}")
    return flask.jsonify(_as_json(run, True)), 202, {"Location": location(run)}


def _ended(run: Run) -> str:
    return {
        "cancelled": "been cancelled",
        "stopped": "been stopped",
    }.get(run.state, run.state)


def _as_json(run: Run, has_worker: bool) -> dict[str, Any]:
    return {**run.as_json(), "message": run_responses.message_of(run, has_worker)}
