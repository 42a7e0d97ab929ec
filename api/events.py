"""What happens in a run, as it happens and afterwards: server-sent events, and a log to read."""

import json
import threading
import time
from collections.abc import Iterator

import psycopg2
from flask import Blueprint, Response, request, stream_with_context

from api import database, parameters, problems, run_responses
from api.listener import POLL_SECONDS
from api.problems import Problem
from elute.errors import EluteError
from elute.runs.run import Event, Run

blueprint = Blueprint("events", __name__)
MOST_STREAMS = 20  # Each holds a thread; the others must stay free to answer.
_PLACES = threading.BoundedSemaphore(MOST_STREAMS)
_HEARTBEAT_SECONDS = 15
_RUN = "/runs/<int:run_id>"


@blueprint.get(f"{_RUN}/events")
def events(run_id: int) -> Response:
    """The events of a run, from the first or from that after `Last-Event-ID`, to its end."""
    after = _after()
    run = run_responses.find(run_id)
    if after and run.has_ended and not run_responses.read_events(run_id, after):
        return Response(status=204)  # A browser that connects again is told to let it be.
    if not _PLACES.acquire(blocking=False):
        raise Problem(
            503,
            "Too many listeners",
            f"{MOST_STREAMS} clients follow runs already. GET /runs/{run_id} from time to time.",
            headers={"Retry-After": "5"},
        )
    response = Response(stream_with_context(_stream(run_id, after)), mimetype="text/event-stream")
    response.call_on_close(_PLACES.release)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


@blueprint.get(f"{_RUN}/log")
def log(run_id: int) -> Response:
    """The events of a run as lines for people."""
    run = run_responses.find(run_id)
    return Response(stream_with_context(_lines(run)), mimetype="text/plain")


def _after() -> int:
    last = request.headers.get("Last-Event-ID", "").strip()
    if last.isascii() and last.isdecimal() and len(last) < 19:
        return int(last)
    if last:
        raise Problem(400, "No such event", "Last-Event-ID is the id of an event of this run.")
    return parameters.whole_number("after", 0, parameters.LARGEST_ID) or 0


def _stream(run_id: int, after: int) -> Iterator[str]:
    yield "retry: 2000\n\n"
    quiet_since = time.monotonic()
    with database.current().listener.follow(run_id) as changes:
        while True:
            try:
                run, news = run_responses.find(run_id), run_responses.read_events(run_id, after)
            except (EluteError, psycopg2.Error) as error:
                if not problems.is_passing(error):
                    raise
                news, run = [], None  # The database is away; those who listen need not be.
            for event in news:
                after = event.event_number
                yield _sent(event)
                if event.kind == "finished":
                    return
            if news:
                quiet_since = time.monotonic()
                continue
            if run and run.has_ended:
                yield _end(run)
                return
            if time.monotonic() - quiet_since >= _HEARTBEAT_SECONDS:
                quiet_since = time.monotonic()
                yield ": still there\n\n"
            changes.wait(_HEARTBEAT_SECONDS if run else POLL_SECONDS)


def _sent(event: Event) -> str:
    data = {**event.data, "happened_at": event.happened_at.isoformat()}
    return f"id: {event.event_number}\nevent: {event.kind}\ndata: {json.dumps(data)}\n\n"


def _end(run: Run) -> str:
    """The end of a run that nobody noted as an event, as of one cancelled while it waited."""
    data = {"state": run.state, "error_kind": run.error_kind, "error": run.error}
    if run.finished_at:
        data["happened_at"] = run.finished_at.isoformat()
    return f"event: finished\ndata: {json.dumps(data)}\n\n"


def _lines(run: Run) -> Iterator[str]:
    is_empty = True
    for event in run_responses.events_of(run.run_id):
        is_empty = False
        yield f"{event.happened_at:%Y-%m-%d %H:%M:%S} {_sentence(event)}\n"
    if is_empty:
        yield f"{_why_empty(run)}\n{run_responses.message_of(run)}\n"


def _why_empty(run: Run) -> str:
    if run.started_at is None:
        return "It has not started." if not run.has_ended else "It never started."
    if run.trigger == "terminal":
        return "It was built in a terminal; its log is there."
    if not run.has_ended:
        return "Nothing has happened in it yet."
    return "What happened in it has been forgotten (ELUTE_KEEP_RUNS says of how many it is kept)."


def _sentence(event: Event) -> str:
    data = event.data
    name = f"{data.get('resource_type')} {data.get('name')}"
    if event.kind == "started":
        return "started, with dbt loaded already" if data.get("is_warm") else "started"
    if event.kind == "nodes":
        return f"{data.get('node_count')} nodes to build"
    if event.kind == "node_started":
        return f"{data.get('position')} {name} …"
    if event.kind == "node_finished":
        said = f": {data['message']}" if data.get("message") else ""
        return (
            f"{data.get('position')} {name} {data.get('status')} in {data.get('seconds')} s{said}"
        )
    if event.kind == "log":
        return f"{data.get('level', '')} {data.get('message', '')}".strip()
    said = f": {data['error']}" if data.get("error") else ""
    return f"{data.get('state', event.kind)}{said}"
