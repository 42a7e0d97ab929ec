"""A request as a query: what its parameters and headers ask of a table, and the SQL for it."""

import re
from dataclasses import dataclass, replace
from typing import NamedTuple
from urllib.parse import parse_qsl

from pgrest_query import filters, ordering, pages, selecting
from pgrest_query.errors import QueryError
from pgrest_query.fields import TABLE, Field, Fragment, Value, build, identifier, joined
from pgrest_query.preferences import Preferences, preferences
from pgrest_query.selecting import Output
from pgrest_query.tables import Table, kind

MOST_PARAMETERS = 200
_NO_OPERATOR = "42883"  # undefined_function
_QUOTED = re.compile(r'"(.*)"', re.DOTALL)


class Statement(NamedTuple):
    """SQL, and what goes into its placeholders: `cursor.execute(*statement)`.

    The placeholders are `%s`. Give the values even if there are none, for a % in `sql` is doubled.
    """

    sql: str
    values: list[str]


@dataclass(frozen=True)
class Query:
    """What is asked of a table; `limit` is None for all rows."""

    table: Table
    outputs: tuple[Output, ...]
    where: Fragment | None
    order: tuple[Fragment, ...]
    limit: int | None
    offset: int
    preferences: Preferences

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns of the answer, in their order."""
        return tuple(output.name for output in self.outputs)

    @property
    def identifiers(self) -> list[str]:
        """The same in SQL, for a statement around `rows()`."""
        return [identifier(name).sql for name in self.columns]

    def limited(self, limit: int) -> "Query":
        """The same, with at most this many rows."""
        return replace(self, limit=limit if self.limit is None else min(limit, self.limit))

    def rows(self, *, ordered: bool = True) -> Statement:
        """The rows asked for.

        Args:
            ordered: whether their order matters; where the query leaves it open, it is that of the
                key, so that pages fit together.
        """
        parts = [self._select()]
        order = [*self.order, *self._own_order()] if ordered else []
        if order:
            parts.append(build("order by {}", joined(", ", order)))
        if self.limit is not None:
            parts.append(Fragment(f"limit {self.limit}"))
        if self.offset:
            parts.append(Fragment(f"offset {self.offset}"))
        return _statement(joined(" ", parts))

    def count(self) -> Statement:
        """How many rows there are without limit and offset, in one row with one `bigint`."""
        return _statement(build("select count(*) from ({}) as _all", self._select()))

    def content_range(self, row_count: int, total: int | None) -> tuple[int, str]:
        """The status, 200 or 206, and Content-Range of an answer with so many rows of this query.

        Args:
            row_count: the rows that there are in the answer.
            total: what `count()` gave, None if that was not asked.

        Raises:
            QueryError: 416, it begins after the last row.
        """
        offset = self.offset
        if total is not None and offset > total:
            raise pages.out_of_range(
                f"An offset of {offset} was requested, but there are only {total} rows.",
                {"Content-Range": f"*/{total}"},
            )
        status = 206 if total is not None and row_count < total else 200
        rows = f"{offset}-{offset + row_count - 1}" if row_count else "*"
        return status, f"{rows}/{'*' if total is None else total}"

    def refused(self, message: str, code: str) -> QueryError:
        """What it means that PostgreSQL refuses to run the query.

        Args:
            message: the primary message of its error.
            code: the SQLSTATE, of class 22 (data) or 42 (syntax, types).
        """
        if code == _NO_OPERATOR and (refusal := self._doubted(message)):
            return QueryError(refusal, code=code)
        quoted = _QUOTED.search(message)
        field = self._compared_with(quoted[1]) if quoted else None
        if quoted is None or field is None:
            return QueryError(f"The database refuses the query: {message}.", code=code)
        return QueryError(
            f"{quoted[1]!r} is no value for {field.label}, of type {field.data_type}.", code=code
        )

    def _compared_with(self, text: str) -> Field | None:
        """The column whose filter has this value, or one of which it is a part."""
        values = [  # Any text is a value of type text.
            value
            for value in self._compared
            if value.field and kind(value.field.data_type) != "text"
        ]
        equal = [value.field for value in values if value.text == text]
        parts = [value.field for value in values if text and text in value.text]
        return next(iter([*equal, *parts]), None)

    def _doubted(self, message: str) -> str | None:
        """What is said of the first filter whose operator the type named in the message lacks."""
        doubts = [value.doubt for value in self._compared if value.doubt]
        named = [doubt for doubt in doubts if doubt.data_type.partition("(")[0] in message]
        return named[0].refusal if named else None

    @property
    def _compared(self) -> tuple[Value, ...]:
        return self.where.values if self.where else ()

    @property
    def _is_grouped(self) -> bool:
        return any(output.is_aggregate for output in self.outputs)

    def _groups(self) -> list[Fragment]:
        """By position: to the server, the same expression with another placeholder is another."""
        return [
            Fragment(str(number))
            for number, output in enumerate(self.outputs, start=1)
            if not output.is_aggregate
        ]

    def _own_order(self) -> list[Fragment]:
        if self._is_grouped:
            return self._groups()
        return [identifier(TABLE, name) for name in self.table.key or ("ctid",)]

    def _source(self) -> Fragment:
        if self.table.query:
            return Fragment(f"({self.table.query})")
        return identifier(self.table.schema, self.table.name)

    def _select(self) -> Fragment:
        columns = [output.item for output in self.outputs]
        source = build("{} as {}", self._source(), identifier(TABLE))
        parts = [build("select {} from {}", joined(", ", columns), source)]
        if self.where:
            parts.append(build("where {}", self.where))
        if self._is_grouped and self._groups():
            parts.append(build("group by {}", joined(", ", self._groups())))
        return joined(" ", parts)


def parse(table: Table, query_string: str, *, range_header: str = "", prefer: str = "") -> Query:
    """Read a query.

    Args:
        table: what is asked.
        query_string: as it stands in an address, percent-encoded.
        range_header: the header Range; what is not in rows (`0-9`) is ignored.
        prefer: the header Prefer; several joined by commas.

    Raises:
        QueryError: it says what is wrong and what would be right.
    """
    parameters: dict[str, str] = {}
    conditions: list[Fragment] = []
    for name, text in _pairs(query_string):
        if name in ("select", "order", "limit", "offset"):
            parameters[name] = text
        else:
            conditions.append(build("({})", filters.condition(table, name, text)))
    outputs = selecting.outputs(table, parameters.get("select", "*"))
    limit, offset = pages.page(parameters, range_header)
    return Query(
        table,
        outputs,
        joined(" and ", conditions) if conditions else None,
        ordering.ordering(table, outputs, parameters.get("order", "")),
        limit,
        offset,
        preferences(prefer),
    )


def _pairs(query_string: str) -> list[tuple[str, str]]:
    try:
        query_string.encode()
        pairs = parse_qsl(query_string, keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
    except UnicodeEncodeError as error:
        raise QueryError("The query is not in UTF-8.", code="22021") from error
    except ValueError as error:
        raise QueryError(f"There are more than {MOST_PARAMETERS} parameters.") from error
    if any("\0" in text for pair in pairs for text in pair):
        raise QueryError("A query may not hold a NUL byte.", code="22P05")
    return pairs


def _statement(fragment: Fragment) -> Statement:
    return Statement(fragment.sql, [value.text for value in fragment.values])
