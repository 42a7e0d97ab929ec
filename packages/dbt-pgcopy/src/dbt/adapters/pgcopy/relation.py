"""A table as SQL names it, also where `--empty` or `--sample` narrows it."""

import zlib
from dataclasses import dataclass

from dbt.adapters.postgres.relation import PostgresRelation


@dataclass(frozen=True, eq=False, repr=False)
class PgcopyRelation(PostgresRelation):
    """dbt-postgres's relation, but what narrows it is joined to it.

    dbt-postgres makes a subquery of it, with an alias, which PostgreSQL 15 wants. A model that
    gives `ref()` an alias of its own, or names columns by their table, is then no valid SQL. A join
    in parentheses takes an alias and needs none, and its columns are those of the table if what is
    joined has none: `select` without a list.
    """

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
