"""What the operations on runs take and answer, by the endpoint of their routes."""

from api.runs.run import STATES
from api.web.openapi.parts import (
    TEXT,
    WHOLE,
    Json,
    Operation,
    answer,
    contents,
    header,
    problem,
    query,
    reference,
)
from api.web.runs import LARGEST_ID, MOST_RUNS
from api.web.trigger import LONGEST_WAIT, USUAL_WAIT

_RUN_ID: Json = {**WHOLE, "minimum": 0, "maximum": LARGEST_ID}
_NO_RUN = problem("There is no such run.")
_BAD = problem("A parameter or the body is not understood.")
_RATIO = query(
    "max_dropped_ratio",
    {"type": "number", "minimum": 0, "maximum": 1},
    "Build though more than ELUTE_MAX_DROPPED_RATIO of a file's records is dropped, up to this.",
)
_OPTIONS: Json = {
    "required": False,
    "content": {"application/json": {"schema": reference("Options")}},
}
_EVENTS = """Each event has an id, a kind, and JSON as its data: started (is_warm), nodes
(node_count), node_started (node, name, resource_type, position), node_finished (those and status,
seconds, message, rows), log (level, message), finished (state, error_kind, error); all with
happened_at. The stream ends after finished; a comment comes every 15 seconds."""


def _trigger(about: str) -> Json:
    return answer(about, reference("Trigger"))


_TRIGGER = Operation(
    "runs",
    {
        200: _trigger("The build succeeded, and the marts are published."),
        202: answer("Still waiting or going on.", reference("Trigger"), Location="The run."),
        400: _trigger("A parameter or the body is not understood."),
        401: _trigger("The token is missing or wrong."),
        403: _trigger("A page of another site had a browser send this."),
        409: _trigger("It was cancelled, or another run with other options waits."),
        422: _trigger("The input files are at fault; the message names file, line and reason."),
        500: _trigger("The build failed."),
        503: _trigger("There is no database, or it went away during the build."),
    },
    [
        query(
            "wait",
            {"type": "number", "minimum": 0, "maximum": LONGEST_WAIT, "default": USUAL_WAIT},
            "Seconds to wait for the end of the build; 0 not at all.",
        ),
        _RATIO,
        header("Prefer", TEXT, "respond-async: do not wait; wait=10: wait that many seconds."),
    ],
)

RUN_OPERATIONS: dict[tuple[str, str], Operation] = {
    ("trigger.trigger", "GET"): _TRIGGER,
    ("trigger.trigger", "POST"): Operation(
        "runs", _TRIGGER.responses, _TRIGGER.parameters, _OPTIONS
    ),
    ("runs.start", "POST"): Operation(
        "runs",
        {
            202: answer("It waits, or has been joined.", reference("Run"), Location="The run."),
            400: _BAD,
            409: problem("A run waits that has other options."),
        },
        [_RATIO],
        _OPTIONS,
    ),
    ("runs.show_some", "GET"): Operation(
        "runs",
        {
            200: answer(
                "Runs, the newest first; `next` is the address of older ones.", reference("Runs")
            ),
            400: _BAD,
        },
        [
            query("limit", {**WHOLE, "minimum": 1, "maximum": MOST_RUNS}, "How many at most."),
            query("before", {**WHOLE, "minimum": 1, "maximum": LARGEST_ID}, "Only older ones."),
            query("state", {"type": "string", "enum": list(STATES)}, "Only those in this state."),
        ],
    ),
    ("runs.show", "GET"): Operation(
        "runs",
        {200: answer("The run.", reference("RunWithNodes")), 404: _NO_RUN},
        path={"run_id": _RUN_ID},
    ),
    ("runs.cancel", "DELETE"): Operation(
        "runs",
        {
            202: answer("Cancelled, or asked to stop.", reference("Run"), Location="The run."),
            404: _NO_RUN,
            409: problem("It has ended."),
        },
        path={"run_id": _RUN_ID},
    ),
    ("events.events", "GET"): Operation(
        "runs",
        {
            200: contents(_EVENTS, {"text/event-stream": {}}),
            204: answer("The run has ended, and the client has all of it."),
            400: _BAD,
            404: _NO_RUN,
        },
        [
            header("Last-Event-ID", WHOLE, "Go on after this event."),
            query("after", {**WHOLE, "minimum": 0}, "The same, for clients that set no headers."),
        ],
        path={"run_id": _RUN_ID},
    ),
    ("events.log", "GET"): Operation(
        "runs",
        {200: contents("A line for each event.", {"text/plain": TEXT}), 404: _NO_RUN},
        path={"run_id": _RUN_ID},
    ),
}
