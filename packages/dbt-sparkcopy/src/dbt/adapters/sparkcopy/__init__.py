"""dbt-spark over Spark Connect, with dbt-pgcopy's seeds, and builds published in PostgreSQL."""

from dbt.adapters.base.plugin import AdapterPlugin
from dbt.adapters.sparkcopy.connections import SparkcopyConnectionManager, SparkcopyCredentials
from dbt.adapters.sparkcopy.impl import SparkcopyAdapter
from dbt.include import sparkcopy

# Not on pgcopy: its SQL is PostgreSQL's. See dbt_project.yml for the macros that serve both.
Plugin = AdapterPlugin(
    adapter=SparkcopyAdapter,  # type: ignore[arg-type]
    credentials=SparkcopyCredentials,
    include_path=sparkcopy.PACKAGE_PATH,
    dependencies=["spark"],
)

__all__ = ["Plugin", "SparkcopyAdapter", "SparkcopyConnectionManager", "SparkcopyCredentials"]
