"""Elute's build as an Airflow DAG, its dbt project unchanged.

In a shell that has read `eval "$(elute env)"`, with this folder as AIRFLOW__CORE__DAGS_FOLDER:

    airflow dags test elute_build
"""

import os
import shutil

from airflow.sdk import DAG
from cosmos import InvocationMode, ProfileConfig
from cosmos.operators.local import DbtBuildLocalOperator

with DAG("elute_build", schedule="0 6 * * *", max_active_runs=1):
    # One task for all of it: one of some models would publish their marts and leave the others.
    DbtBuildLocalOperator(
        task_id="build",
        project_dir=os.environ["DBT_PROJECT_DIR"],
        profile_config=ProfileConfig(
            profile_name="elute",
            target_name=os.environ["ELUTE_ENGINE"],
            profiles_yml_filepath=f"{os.environ['DBT_PROFILES_DIR']}/profiles.yml",
        ),
        # Elute's own dbt: Airflow's environment needs none.
        dbt_executable_path=shutil.which("dbt"),
        invocation_mode=InvocationMode.SUBPROCESS,
    )
