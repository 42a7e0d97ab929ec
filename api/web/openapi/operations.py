"""What each operation takes and answers, by the endpoint of its route; those of marts apart."""

from api.web import input_files, uploads
from api.web.openapi.parts import (
    SWITCH,
    TEXT,
    WHOLE,
    Json,
    Operation,
    answer,
    contents,
    header,
    problem,
    query,
    record,
    reference,
)
from api.web.run_answers import STATES
from api.web.runs import LARGEST_ID, MOST_RUNS
from api.web.trigger import LONGEST_WAIT, USUAL_WAIT

_RUN_ID: Json = {**WHOLE, "minimum": 0, "maximum": LARGEST_ID}
_FILE: Json = {"type": "string", "enum": list(input_files.NAMES)}
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
_IF_NONE_MATCH = header("If-None-Match", TEXT, "ETags that the client has already.")
_BINARY: Json = {"type": "string"}
_FORM: Json = record({"file": {"type": "string", "format": "binary"}})
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

OPERATIONS: dict[tuple[str, str], Operation] = {
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
    ("inputs.show_all", "GET"): Operation(
        "inputs", {200: answer("The three files.", reference("InputFiles"))}
    ),
    ("inputs.download", "GET"): Operation(
        "inputs",
        {
            200: contents("The file.", {"text/csv": TEXT}, ETag="Its version."),
            206: contents("The part of it that Range names.", {"text/csv": TEXT}),
            304: answer("The client has it already."),
            404: problem("There is no such file."),
            412: problem("It is another one by now."),
            416: problem("It has no such part."),
        },
        [_IF_NONE_MATCH, header("Range", TEXT, "Such as bytes=0-99.")],
        path={"name": _FILE},
    ),
    ("inputs.replace", "PUT"): Operation(
        "inputs",
        {
            200: answer(
                "Replaced; or, of a dry run, what is in it.",
                {"anyOf": [reference("ReplacedFile"), reference("CheckedFile")]},
            ),
            201: answer("There was none before.", reference("ReplacedFile")),
            400: _BAD,
            404: problem("There is no such file."),
            409: problem("The folder with the files cannot be written to."),
            412: problem("The file is another one by now."),
            413: problem("The form has something else in it that is too long."),
            415: problem("It was not sent as a file."),
            422: problem("The file cannot be used: file, line, reason.", "FileProblem"),
            507: problem("The disk is full."),
        },
        [
            query("dry_run", SWITCH, "1 only checks the file, and replaces nothing."),
            header("If-Match", TEXT, "Replace it only if its ETag is one of these."),
            header("If-None-Match", TEXT, "*: only if there is none yet."),
        ],
        {
            "required": True,
            "content": {
                **{name: {"schema": _BINARY} for name in uploads.MEDIA_TYPES},
                uploads.FORM: {"schema": _FORM},
            },
        },
        {"name": _FILE},
    ),
    ("health.live", "GET"): Operation(
        "operations", {200: answer("It answers.", reference("Live"))}
    ),
    ("health.ready", "GET"): Operation(
        "operations",
        {
            200: answer("There is something to serve.", reference("Ready")),
            503: answer("Not yet, or not at the moment.", reference("Ready")),
        },
    ),
    ("metrics.metrics", "GET"): Operation(
        "operations", {200: contents("In the text format of Prometheus.", {"text/plain": TEXT})}
    ),
    ("openapi.show", "GET"): Operation(
        "operations", {200: answer("This document.", {"type": "object"})}
    ),
    ("docs_site.site", "GET"): Operation(
        "operations",
        {
            200: contents("The dbt docs site of the published build.", {"text/html": TEXT}),
            304: answer("The client has it already."),
            404: contents("Nothing has been built yet.", {"text/html": TEXT}),
        },
        [header("If-Modified-Since", TEXT, "Only if it is newer.")],
    ),
}
