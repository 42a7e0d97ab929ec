"""dbt-postgres, with seeds loaded by COPY, sessions kept between nodes, and a lock for each run."""

from dbt.adapters.base.plugin import AdapterPlugin
from dbt.adapters.pgcopy.connections import PgcopyConnectionManager, PgcopyCredentials
from dbt.adapters.pgcopy.impl import PgcopyAdapter
from dbt.adapters.pgcopy.run_lock import WRITING_COMMANDS
from dbt.adapters.pgcopy.seeds import Seed
from dbt.include import pgcopy

Plugin = AdapterPlugin(
    adapter=PgcopyAdapter,  # type: ignore[arg-type]
    credentials=PgcopyCredentials,
    include_path=pgcopy.PACKAGE_PATH,
    dependencies=["postgres"],
)

__all__ = [
    "WRITING_COMMANDS",
    "PgcopyAdapter",
    "PgcopyConnectionManager",
    "PgcopyCredentials",
    "Plugin",
    "Seed",
]
