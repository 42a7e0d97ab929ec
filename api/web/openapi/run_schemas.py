"""Schemas of runs, made from the fields of `Run`."""

from dataclasses import fields

from api.runs.run import STATES, Run
from api.web.openapi.parts import (
    ANYTHING,
    BOOLEAN,
    MOMENT,
    NUMBER,
    TEXT,
    WHOLE,
    Json,
    list_of,
    nullable,
    record,
    reference,
)

_ABOUT = {
    "run_id": "Rises with each run.",
    "trigger": "What started it: http, schedule, file change, first build or terminal.",
    "requested_by": "Who asked for it.",
    "options": "What it was asked to do otherwise.",
    "state": "Where it stands.",
    "request_count": "How many triggers it answers.",
    "retry_of": "The run that broke off and that this one makes up for.",
    "is_warm": "Whether dbt was loaded already.",
    "node_count": "How many nodes dbt builds and tests.",
    "error_kind": "Who can mend it: the lab (input), the project (build), the server, or Elute.",
    "error": "Why it failed, in words.",
    "inputs": "What became of the records of each file, as in the mart input_summary.",
}


def _run_properties() -> dict[str, Json]:
    known: dict[str, Json] = {
        "run_id": WHOLE,
        "request_count": WHOLE,
        "trigger": TEXT,
        "state": {"type": "string", "enum": list(STATES)},
        "options": ANYTHING,
        "requested_at": MOMENT,
        "inputs": nullable(list_of(ANYTHING)),
        "is_warm": nullable(BOOLEAN),
        "retry_of": nullable(WHOLE),
        "node_count": nullable(WHOLE),
    }
    properties = {}
    for name in (field.name for field in fields(Run)):
        is_moment = name.endswith("_at")
        schema = known.get(name) or nullable(MOMENT if is_moment else TEXT)
        properties[name] = {**schema, **({"description": _ABOUT[name]} if name in _ABOUT else {})}
    seconds = {**nullable(NUMBER), "description": "From its start to its end."}
    return {**properties, "seconds": seconds}


_RUN = _run_properties()
_MESSAGE = {"message": {**TEXT, "description": "How it stands, in a sentence or two."}}
_NODE = {
    "node": {**TEXT, "description": "dbt's unique id."},
    "name": TEXT,
    "resource_type": TEXT,
    "position": {**nullable(WHOLE), "description": "Its number in the order of starting, from 1."},
    "status": {**TEXT, "description": "running, or how dbt says it ended."},
    "seconds": nullable(NUMBER),
    "message": nullable(TEXT),
    "rows": nullable(WHOLE),
    "started_at": MOMENT,
    "finished_at": MOMENT,
}

RUN_SCHEMAS: dict[str, Json] = {
    "Options": {
        **record({"max_dropped_ratio": {"type": "number", "minimum": 0, "maximum": 1}}),
        "required": [],
        "additionalProperties": False,
        "description": "What a run is to do otherwise.",
    },
    "Run": record({**_RUN, **_MESSAGE}),
    "RunWithNodes": record(
        {
            **_RUN,
            **_MESSAGE,
            "usual_seconds": {
                **nullable(NUMBER),
                "description": "How long a run usually takes; null before the first success.",
            },
            "nodes": list_of(
                record(
                    _NODE,
                    optional=("seconds", "message", "rows", "started_at", "finished_at"),
                )
            ),
        }
    ),
    "Runs": record({"runs": list_of(reference("Run")), "next": nullable(TEXT)}),
    "Trigger": record(
        {
            "status": {"type": "string", "enum": ["success", "running", "error"]},
            "message": TEXT,
            "run": record(_RUN),
        },
        optional=("run",),
    ),
}
