"""Relations, of which a published one that this run has built anew is the new table."""

from dataclasses import dataclass
from typing import Any, ClassVar

from dbt.adapters.contracts.relation import HasQuoting, RelationConfig
from dbt.adapters.postgres.relation import PostgresRelation

Address = tuple[str | None, str | None, str | None]


@dataclass(frozen=True, eq=False, repr=False)
class PgcopyRelation(PostgresRelation):
    """A relation as in dbt-postgres; see `create_from`.

    Attributes:
        built: the tables that this run has built, by the address of the view that will show them.
    """

    built: ClassVar[dict[Address, "PgcopyRelation"]] = {}

    @classmethod
    def create_from(
        cls, quoting: HasQuoting, relation_config: RelationConfig, **kwargs: Any
    ) -> "PgcopyRelation":
        """Overridden so that `ref` of a mart finds the table that this run has built.

        Here and not in a macro `ref`, which would keep dbt from parsing models statically. What a
        unit test is given takes its columns from here, too.
        """
        relation: PgcopyRelation = super().create_from(quoting, relation_config, **kwargs)
        table = cls.built.get(address(relation))
        if table is None:
            return relation
        path = relation.path.replace(schema=table.schema, identifier=table.identifier)
        return relation.replace(path=path)


def address(relation: PgcopyRelation) -> Address:
    """Where a relation is."""
    return relation.database, relation.schema, relation.identifier
