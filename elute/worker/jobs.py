"""What dbt is asked to do, and the environment in which it does it."""

import os
from typing import Any

from elute.runs.run import Run
from elute.settings import Settings
from elute.worker.child import Job
from elute.worker.ending import names_of_sessions

_NOT_FOR_DBT = ("ELUTE_TOKEN", "ELUTE_READ_TOKEN")
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
        "ELUTE_RUN_ID": str(run.run_id),  # noted with the build that it publishes
    }
    if "max_dropped_ratio" in run.options:
        changes["ELUTE_MAX_DROPPED_RATIO"] = str(run.options["max_dropped_ratio"])
    # What it has to say comes as events; the files take a tenth of a run to write.
    return Job(["build", "--no-write-json"], {**_ours(), **changes})


def docs_job(settings: Settings) -> Job:
    """The docs site, into the target path; for idle moments."""
    changes = {**_folders(settings), "PGAPPNAME": "elute docs"}
    return Job(["docs", "generate", "--static"], {**_ours(), **changes}, niceness=10)


def _ours() -> dict[str, str]:
    """Our environment, for the project may ask for any of it, without what is none of its."""
    return {name: value for name, value in os.environ.items() if name not in _NOT_FOR_DBT}
