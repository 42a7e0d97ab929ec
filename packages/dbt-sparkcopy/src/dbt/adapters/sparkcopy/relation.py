"""Relations as SQL names them: all that a build makes on Spark is in a schema of its own."""

from contextvars import ContextVar
from dataclasses import dataclass

from dbt.adapters.base.relation import BaseRelation
from dbt.adapters.pgcopy import PgcopyAdapter
from dbt.adapters.spark.relation import SparkRelation
from dbt_common.exceptions import DbtRuntimeError
from dbt_common.invocation import get_invocation_id

# Whether SQL for PostgreSQL is rendered just now.
FOR_POSTGRES: ContextVar[bool] = ContextVar("FOR_POSTGRES", default=False)


@dataclass(frozen=True, eq=False, repr=False)
class SparkcopyRelation(SparkRelation):
    """A relation as in dbt-spark, but `raw.users` is called `dbt_<invocation>.raw__users`.

    So no build comes upon what another has left, or whatever else is in the catalogue.
    """

    def render(self) -> str:
        """Its name in SQL."""
        if FOR_POSTGRES.get():
            return self._on_postgres.render()
        if self.schema is None or not self.include_policy.schema:
            return super().render()
        path = self.path.replace(schema=build_name(), identifier=self.table_name)
        return super(SparkcopyRelation, self.replace(path=path)).render()

    @property
    def table_name(self) -> str | None:
        """In the schema of the build, and in its folder."""
        return self.identifier and f"{self.schema}__{self.identifier}".lower()

    @property
    def _on_postgres(self) -> BaseRelation:
        """What this build has made of it there."""
        for (_, schema, identifier), table in PgcopyAdapter.Relation.built.items():
            if (schema, identifier) == (self.schema, self.identifier):
                return table
        raise DbtRuntimeError(
            f"A view of the build can read what the build publishes, and not {self.identifier}."
        )


def build_name() -> str:
    """Of the schema and of the folder of this build."""
    return "dbt_" + get_invocation_id().replace("-", "")
