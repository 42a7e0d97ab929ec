"""What the worker has dbt do, and the environment that it gets."""

import json
import os
from collections.abc import Mapping

from dbt_warm import Invocation, WarmDbt

from elute import provenance
from elute.runs.ending import session_name
from elute.runs.run import Run
from elute.settings import CHECKOUT, Settings

_NOT_FOR_DBT = ("ELUTE_TOKEN", "ELUTE_READ_TOKEN")
# A query whose child was killed ends within a second.
_CHECK_CONNECTION = "-c client_connection_check_interval=1s"


def warm_dbt(settings: Settings) -> WarmDbt:
    """The dbt of the worker, not loaded yet.

    It parses into a folder of its own: what a build leaves in the target path is for the docs.
    """
    return WarmDbt(
        CHECKOUT / "dbt_project",
        CHECKOUT,
        environment=_environment,
        parse_arguments=["--target-path", str(settings.home / "worker" / "parsed")],
        more_paths=[CHECKOUT / "seeds"],
    )


def build(
    dbt: WarmDbt,
    settings: Settings,
    run: Run,
    as_it_was: Mapping[str, str] | None = None,
    *,
    is_unit_tested: bool = False,
) -> Invocation:
    """Start the `dbt build` of a run.

    Args:
        dbt: of the worker.
        settings: of the worker.
        run: to be built for.
        as_it_was: variables with which it builds from the files of an earlier build.
        is_unit_tested: whether the unit tests have passed with this project and these options.
    """
    options = os.environ.get("PGOPTIONS", "")
    variables = {
        **_folders(settings),
        "PGAPPNAME": session_name(run.run_id),
        "PGOPTIONS": f"{options} {_CHECK_CONNECTION}".strip(),
        # Noted with the build that it publishes.
        "ELUTE_RUN_ID": str(run.run_id),
        "ELUTE_VERSIONS": json.dumps(provenance.versions()),
    }
    if "returns_to" in run.options:
        returns = {"requested_by": run.requested_by, "reason": None, **run.options}
        variables["ELUTE_RETURN"] = json.dumps(returns)
    if "max_dropped_ratio" in run.options:
        variables["ELUTE_MAX_DROPPED_RATIO"] = str(run.options["max_dropped_ratio"])
    # What it has to say comes as events; the files take a tenth of a run to write.
    arguments = ["build", "--no-write-json"]
    if is_unit_tested:
        arguments += ["--exclude-resource-type", "unit_test"]
    return dbt.invoke(
        arguments,
        environment={**_environment(), **variables, **(as_it_was or {})},
        secrets=_secrets(),
        parses=as_it_was is not None,  # What files are read, and how, is in the parsed project.
    )


def docs(dbt: WarmDbt, settings: Settings) -> Invocation:
    """Start to make the docs site, in the target path; for idle moments.

    Its catalogue is PostgreSQL's, where what is published is.
    """
    variables = {**_folders(settings), "PGAPPNAME": "elute docs"}
    return dbt.invoke(
        ["docs", "generate", "--static", "--target", "postgres"],
        environment={**_environment(), **variables},
        secrets=_secrets(),
        niceness=10,
        parses=settings.engine != "postgres",
    )


def _folders(settings: Settings) -> dict[str, str]:
    """Where the worker's dbt reads what was parsed, and writes, apart from builds in terminals."""
    folder = settings.home / "worker"
    parsed = folder / "parsed" / "partial_parse.msgpack"
    reads = {"DBT_PARTIAL_PARSE_FILE_PATH": str(parsed)} if parsed.exists() else {}
    return {"DBT_TARGET_PATH": str(folder / "target"), **reads}


def _environment() -> dict[str, str]:
    """Our environment, for the project may ask for any of it, without what is none of its."""
    return {name: value for name, value in os.environ.items() if name not in _NOT_FOR_DBT}


def _secrets() -> list[str]:
    return [os.environ.get("PGPASSWORD", "")]
