"""What can be queried: tables, their columns, and what can be done with the types of those."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from pgrest_query.errors import QueryError

LONGEST_NAME = 63  # bytes; PostgreSQL cuts off the rest


@dataclass(frozen=True)
class Column:
    """A column.

    `data_type` is the name of its type in PostgreSQL as `format_type()` gives it: `bigint`,
    `numeric(10,2)`, `text[]`. What a type not known here (a domain, an enum) can do is PostgreSQL's
    to say.
    """

    name: str
    data_type: str


@dataclass(frozen=True, eq=False)
class Table:
    """A table in PostgreSQL.

    `key` names the columns that tell its rows apart, by which they are ordered where the query
    leaves it open. Without one it is the place of a row in the table (`ctid`): pages fit together
    only if it is a table, not a view, and nothing is written to it meanwhile.
    `label` is what messages call it; its name, if it is empty.
    `query` is SQL whose rows are asked for in the place of a table's: with a `key`, and a % in it
    doubled. It is taken as it is, so nothing of it may come from outside.
    """

    schema: str
    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    label: str = ""
    query: str = ""

    @cached_property
    def by_name(self) -> Mapping[str, Column]:
        """Its columns by their names."""
        return {column.name: column for column in self.columns}

    def column(self, name: str) -> Column:
        """The column of that name.

        Raises:
            QueryError: there is none; it names those there are.
        """
        found = self.by_name.get(name)
        if found is None:
            raise QueryError(
                f"There is no column {name[:LONGEST_NAME]!r} in {self.label or self.name}; "
                f"it has {', '.join(self.by_name)}.",
                code="42703",
                hint="Parameters other than select, order, limit, offset, and, or are columns.",
            )
        return found


# By what can be done with them; the short names are those of pg_type, which casts come to.
_KINDS = {
    name: kind
    for kind, names in {
        "number": "smallint, integer, bigint, numeric, decimal, real, double precision, float, "
        "int2, int4, int8, float4, float8",
        "text": "text, character varying, character, varchar, char, bpchar, name, citext",
        "boolean": "boolean, bool",
        "json": "json, jsonb",
        "time": "date, time, timetz, timestamp, timestamptz, time without time zone, "
        "time with time zone, timestamp without time zone, timestamp with time zone",
        "search": "tsvector",
    }.items()
    for name in names.split(", ")
}
_CASTS = {
    "bool": "boolean",
    "int2": "smallint",
    "int4": "int, integer",
    "int8": "bigint",
    "numeric": "decimal",
    "float4": "real",
    "float8": "float, double precision",
    "text": "text",
    "varchar": "character varying",
    "date": "date",
    "time": "time without time zone",
    "timetz": "time with time zone",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "interval": "interval",
    "uuid": "uuid",
    # Text of type json may hold line breaks, which would end a row in line-oriented formats.
    "jsonb": "json",
}
# What may be cast to, by each of its names, those of arrays in PostgreSQL's way, and its name in
# pg_type. Any type at all would let a client call functions and look into the catalogue.
CASTS: Mapping[str, str] = {
    **{name: target for target, names in _CASTS.items() for name in (target, *names.split(", "))},
    **{f"_{target}": f"_{target}" for target in _CASTS},
}


def kind(data_type: str) -> str:
    """What can be done with a type: number, text, boolean, json, time, array, range, … or other."""
    if data_type.endswith("[]") or data_type.startswith("_"):
        return "array"
    base, _, rest = data_type.lower().partition("(")
    name = " ".join((base + rest.partition(")")[2]).split())
    return "range" if name.endswith("range") else _KINDS.get(name, "other")
