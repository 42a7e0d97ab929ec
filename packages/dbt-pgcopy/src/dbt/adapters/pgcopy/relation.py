"""Relations as SQL names them: built anew by this run, or narrowed by `--empty` and `--sample`."""

import zlib
from dataclasses import dataclass
from typing import Any, ClassVar

from dbt.adapters.contracts.relation import HasQuoting, RelationConfig
from dbt.adapters.postgres.relation import PostgresRelation

Address = tuple[str | None, str | None, str | None]


@dataclass(frozen=True, eq=False, repr=False)
class PgcopyRelation(PostgresRelation):
    """A relation as in dbt-postgres, but for two things.

    A published one that this run has built anew is the new table; see `create_from`. What narrows
    one is joined to it: dbt-postgres makes a subquery of it, with an alias, which PostgreSQL 15
    wants. A model that gives `ref()` an alias of its own, or names columns by their table, is then
    no valid SQL. A join in parentheses takes an alias and needs none, and its columns are those of
    the table if what is joined has none: `select` without a list.

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

    def render_limited(self) -> str:
        """The relation without rows with `--empty`, which is the only limit that dbt sets."""
        if self.limit != 0:
            return super().render_limited()
        return self._join(self.render(), "false")

    def render_event_time_filtered(self, rendered: str | None = None) -> str:
        """The rows within the time that `--sample` or a batch is about."""
        rendered = rendered or self.render()
        if self.event_time_filter is None:
            return rendered
        condition = self._render_event_time_filtered(self.event_time_filter)
        return self._join(rendered, condition) if condition else rendered

    def _join(self, rendered: str, condition: str) -> str:
        # Several of them may stand in one query.
        alias = f"_dbt_{zlib.crc32(rendered.encode()):08x}"
        return f"({rendered} inner join (select) as {alias} on {condition})"


def address(relation: PgcopyRelation) -> Address:
    """Where a relation is."""
    return relation.database, relation.schema, relation.identifier
