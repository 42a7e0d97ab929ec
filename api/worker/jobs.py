"""What dbt is asked to do, and the environment in which it does it."""

import os
from collections.abc import Mapping
from typing import Any

from api.runs.run import Run
from api.settings import Settings
from api.worker.child import Job
from api.worker.ending import names_of_sessions

# dbt goes through all of its environment often, and has no use for our tokens.
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "USER", "LOGNAME")
_KEPT_PREFIXES = ("PG", "DBT_", "ELUTE_")
_NOT_KEPT = ("ELUTE_TOKEN", "ELUTE_READ_TOKEN")
# A query whose child was killed ends within a second.
_CHECK_CONNECTION = "-c client_connection_check_interval=1s"


def warm_environment(settings: Settings) -> dict[str, str]:
    """Variables for the process that parses the project.

    It has a folder of its own: what a build leaves in the target path is for the docs.
    """
    return {"DBT_TARGET_PATH": str(settings.home / "worker" / "parsed")}


def _folders(settings: Settings) -> dict[str, str]:
    """Where the worker's dbt reads what was parsed, and writes, apart from builds in terminals."""
    folder = settings.home / "worker"
    parsed = folder / "parsed" / "partial_parse.msgpack"
    reads = {"DBT_PARTIAL_PARSE_FILE_PATH": str(parsed)} if parsed.exists() else {}
    return {"DBT_TARGET_PATH": str(folder / "target"), **reads}


def build_job(settings: Settings, run: Run) -> Job:
    """The `dbt build` of a run."""
    options = os.environ.get("PGOPTIONS", "")
    changes: dict[str, Any] = {
        **_folders(settings),
        "PGAPPNAME": names_of_sessions(run.run_id),
        "PGOPTIONS": f"{options} {_CHECK_CONNECTION}".strip(),
    }
    if "max_dropped_ratio" in run.options:
        changes["ELUTE_MAX_DROPPED_RATIO"] = str(run.options["max_dropped_ratio"])
    return Job(["build"], {**_small(os.environ), **changes})


def docs_job(settings: Settings) -> Job:
    """The docs site of what the last build left in the target path; for idle moments."""
    arguments = ["docs", "generate", "--static", "--no-compile"]
    changes = {**_folders(settings), "PGAPPNAME": "elute docs"}
    return Job(arguments, {**_small(os.environ), **changes}, niceness=10)


def _small(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if (name in _KEPT or name.startswith(_KEPT_PREFIXES)) and name not in _NOT_KEPT
    }
