"""Elute's dbt project as Dagster's assets: each seed, model and test of it, unchanged.

In a shell that has read `eval "$(elute env)"`, from any folder:

    dagster dev -f docs/examples/dagster/definitions.py
"""

import os
from collections.abc import Iterator
from typing import Any

from dagster import (
    AssetExecutionContext,
    Definitions,
    ScheduleDefinition,
    define_asset_job,
    in_process_executor,
)
from dagster_dbt import DbtCliResource, DbtProject, dbt_assets

project = DbtProject(
    project_dir=os.environ["DBT_PROJECT_DIR"],
    profiles_dir=os.environ["DBT_PROFILES_DIR"],
    target_path=os.environ["DBT_TARGET_PATH"],
)
project.preparer.prepare(project)  # writes the manifest that the assets are read from


@dbt_assets(manifest=project.manifest_path, name="elute")
def elute(context: AssetExecutionContext, dbt: DbtCliResource) -> Iterator[Any]:
    """One build: all or nothing of it is published."""
    yield from dbt.cli(["build"], context=context).stream()


# Whole builds only: one of some models would publish their marts and leave the others as they are.
# It is one step, which gains nothing from a process of its own that parses the project once more.
build = define_asset_job("build", selection=[elute], executor_def=in_process_executor)

definitions = Definitions(
    assets=[elute],
    jobs=[build],
    schedules=[ScheduleDefinition(job=build, cron_schedule="0 6 * * *")],
    resources={"dbt": DbtCliResource(project_dir=project)},
)
