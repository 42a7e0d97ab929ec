"""`/runs`: ask for builds, look at them, cancel them."""

from collections.abc import Mapping
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias

from flask import Blueprint, current_app, request, url_for

from api import audit, database, parameters, run_responses
from api.problems import Problem
from elute import provenance
from elute.database.history import Published
from elute.database.sessions import Session
from elute.runs import queue
from elute.runs.queue import OtherOptionsError, OtherRequestError
from elute.runs.run import STATES, Run

blueprint = Blueprint("runs", __name__)
Answer: TypeAlias = tuple[dict[str, Any], int, dict[str, str]]


class Asked(NamedTuple):
    """The run that a request has come to, and how it stands in words.

    Attributes:
        run: a new one, one that was joined, or the one that has made what would be made again.
        has_worker: whether a worker takes up runs.
        current: what that one has published.
    """

    run: Run
    has_worker: bool
    current: Published | None

    @property
    def message(self) -> str:
        """How it stands."""
        if self.current:
            return run_responses.message_of_current(self.current)
        return run_responses.message_of(self.run, self.has_worker)


def ask_for_run(options: Mapping[str, Any] | None = None) -> Asked:
    """Queue the run that this request asks for, or join one, unless the published build is current.

    Args:
        options: of a run that is made in any case.

    Raises:
        Problem: 400 it asks for something unknown, 409 a run waits that has other options, 422 its
            Idempotency-Key is of another request.
    """
    key, settings = parameters.idempotency_key(), current_app.config["SETTINGS"]
    is_forced = options is not None or parameters.switch("force")
    options = parameters.options() if options is None else options
    wanted = {"path": request.path, "options": options, "force": is_forced}

    def ask(session: Session) -> Asked:
        current = None if is_forced else provenance.current(session, settings, options)

        def run_for_it() -> Run:
            known = current and current.run_id
            found = queue.get(session, known) if known else None
            return found or queue.request(session, "http", parameters.requested_by(), options)

        run = queue.once(session, key, wanted, run_for_it) if key else run_for_it()
        is_answer = current is not None and current.run_id == run.run_id  # and no run of the key
        return Asked(run, queue.has_worker(session), current if is_answer else None)

    try:
        asked = database.current().owner.read(ask)
    except OtherOptionsError as error:
        raise Problem(409, "Another run waits", str(error)) from error
    except OtherRequestError as error:
        raise Problem(422, "Another request", str(error)) from error
    if not asked.current:
        action = "rebuild" if "returns_to" in options else "trigger"
        audit.note(action, f"run {asked.run.run_id}")
    return asked


def location(run: Run) -> str:
    """Where a run is told of."""
    return url_for("runs.show", run_id=run.run_id)


@blueprint.post("/runs")
def start() -> Answer:
    """Ask for a run, and do not wait for it."""
    return answer(ask_for_run())


def answer(asked: Asked) -> Answer:
    """The run that a request has come to, for one who does not wait for it."""
    body = {**asked.run.as_json(), "message": asked.message}
    return body, 200 if asked.run.has_ended else 202, {"Location": location(asked.run)}


@blueprint.get("/runs")
def show_some() -> dict[str, Any]:
    """The newest runs, or those before another."""
    state = request.args.get("state")
    if state is not None and state not in STATES:
        states = ", ".join(STATES)
        raise Problem(400, "No such state", f"A run's state is one of {states}.")

    owner = database.current().owner
    runs, following = parameters.page(
        owner, partial(queue.page, state=state), attrgetter("run_id"), state=state
    )
    has_worker = owner.read(queue.has_worker)
    return {"runs": [_as_json(run, has_worker) for run in runs], "next": following}


@blueprint.get("/runs/<int:run_id>")
def show(run_id: int) -> dict[str, Any]:
    """One run with its nodes, and how long runs usually take, in seconds."""
    run = run_responses.find(run_id)
    usual_seconds, has_worker = database.current().owner.read(
        lambda session: (queue.usual_seconds(session), queue.has_worker(session))
    )
    return {
        **_as_json(run, has_worker),
        "usual_seconds": usual_seconds,
        "nodes": run_responses.nodes_of(run_id),
    }


@blueprint.delete("/runs/<int:run_id>")
def cancel(run_id: int) -> Answer:
    """Cancel a run that waits, ask one that goes on to stop."""
    run = database.current().owner.read(lambda session: queue.cancel(session, run_id))
    if run is None:
        ended = run_responses.find(run_id)
        if not ended.has_ended:
            detail = f"Run {run_id} goes on in a terminal: press Ctrl-C there."
            raise Problem(409, "Not to be cancelled from here", detail)
        been = "been " if ended.state in ("cancelled", "stopped") else ""
        detail = f"Run {run_id} has {been}{ended.state}: nothing to cancel."
        raise Problem(409, "It has ended", detail)
    audit.note("cancel", f"run {run_id}")
    return _as_json(run, True), 202, {"Location": location(run)}


def _as_json(run: Run, has_worker: bool) -> dict[str, Any]:
    return {**run.as_json(), "message": run_responses.message_of(run, has_worker)}
