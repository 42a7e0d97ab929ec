"""Schemas of what goes in and comes out, under the names that the document gives them."""

from api.web import input_files
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
from api.web.openapi.run_schemas import RUN_SCHEMAS

_FILE_PROBLEM = record(
    {
        "file": TEXT,
        "line": {**nullable(WHOLE), "description": "As an editor counts, from 1."},
        "reason": TEXT,
    }
)
_CONTENTS = {
    "name": {"type": "string", "enum": list(input_files.NAMES)},
    "records": {**WHOLE, "description": "Records without a problem."},
    "columns": {**list_of(TEXT), "description": "The header as it stands in the file."},
    "extra_columns": {**list_of(TEXT), "description": "Those that are not used."},
    "problems": {**list_of(_FILE_PROBLEM), "description": "The first ten; none if it will load."},
}
_FILE = {
    "exists": BOOLEAN,
    "bytes": nullable(WHOLE),
    "modified_at": nullable(MOMENT),
    "etag": {**nullable(TEXT), "description": "Its version, for If-Match, in double quotes there."},
    "can_be_replaced": {**BOOLEAN, "description": "Whether Elute may write to its folder."},
    "replaced": {
        **list_of(TEXT),
        "description": "Earlier files that are kept, in the folder .replaced, the latest first.",
    },
    **_CONTENTS,
}
_PROBLEM = {
    "type": {"type": "string", "format": "uri-reference"},
    "title": TEXT,
    "status": {"type": "integer"},
    "detail": {**TEXT, "description": "What is wrong here, and what to do."},
    "instance": {"type": "string", "description": "The path that was asked for."},
}
_WORDS = dict.fromkeys(("status", "database", "schema", "marts", "worker"), TEXT)
_BIN = record({"from": nullable(NUMBER), "to": nullable(NUMBER), "count": WHOLE})

SCHEMAS: dict[str, Json] = {
    "Problem": record(_PROBLEM, about="What is wrong (RFC 9457)."),
    "FileProblem": record(
        {**_PROBLEM, **_FILE_PROBLEM["properties"], "problems": list_of(_FILE_PROBLEM)},
        about="What is wrong with a file: the first problem, and the first ten.",
    ),
    "QueryProblem": record(
        {
            **_PROBLEM,
            "code": nullable(TEXT),
            "message": TEXT,
            "details": nullable(TEXT),
            "hint": nullable(TEXT),
        },
        optional=("code", "message", "details", "hint"),
        about="What is wrong with a query, also in the words of PostgREST.",
    ),
    **RUN_SCHEMAS,
    "InputFile": record({**_FILE}),
    "InputFiles": record({"inputs": list_of(reference("InputFile"))}),
    "ReplacedFile": record({**_FILE, "kept_as": nullable(TEXT)}),
    "CheckedFile": record({"dry_run": {"const": True}, **_CONTENTS}),
    "Live": record({"status": {"const": "live"}}),
    "Ready": record(_WORDS, about="What is there, in words."),
    "Mart": record(
        {
            "name": TEXT,
            "description": TEXT,
            "path": TEXT,
            "is_built": BOOLEAN,
            "published_at": nullable(MOMENT),
            "key": {**list_of(TEXT), "description": "Columns that tell its rows apart."},
            "columns": list_of(
                record({"name": TEXT, "data_type": TEXT, "description": TEXT, "nullable": BOOLEAN})
            ),
        }
    ),
    "Explanation": record(
        {
            "user": {**reference("user_summary_row"), "description": "The row as published."},
            "is_consistent": {**BOOLEAN, "description": "Whether what follows adds up to it."},
            "note": nullable(TEXT),
            "experiment_count": ANYTHING,
            "avg_experiment_run_time": ANYTHING,
            "compound_id": ANYTHING,
            "compounds": list_of(ANYTHING),
            "experiments": list_of(ANYTHING),
            "data_issues": list_of(reference("data_issues_row")),
        },
        about="What a row of user_summary is made of.",
    ),
    "Histogram": record(
        {
            "column": TEXT,
            "step": nullable(NUMBER),
            "is_whole": BOOLEAN,
            "without": {**WHOLE, "description": "Rows without a value."},
            "bins": list_of(_BIN),
        }
    ),
}
