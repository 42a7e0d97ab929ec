"""What each operation takes and answers, by the endpoint of its route; those of marts apart."""

from api.web import input_files, uploads
from api.web.openapi.parts import (
    SWITCH,
    TEXT,
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
from api.web.openapi.run_operations import RUN_OPERATIONS

_FILE: Json = {"type": "string", "enum": list(input_files.NAMES)}
_BAD = problem("A parameter or the body is not understood.")
_IF_NONE_MATCH = header("If-None-Match", TEXT, "ETags that the client has already.")
_BINARY: Json = {"type": "string"}
_FORM: Json = record({"file": {"type": "string", "format": "binary"}})

OPERATIONS: dict[tuple[str, str], Operation] = {
    **RUN_OPERATIONS,
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
