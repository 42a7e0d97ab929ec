"""PostgREST's query language for reading: text in, safe SQL out."""

from pgrest_query.errors import QueryError
from pgrest_query.fields import quoted
from pgrest_query.filters import LOGIC
from pgrest_query.operators import OPERATORS
from pgrest_query.query import Query, Statement, parse
from pgrest_query.tables import CASTS, Column, Table, kind

__all__ = [
    "CASTS",
    "LOGIC",
    "OPERATORS",
    "Column",
    "Query",
    "QueryError",
    "Statement",
    "Table",
    "kind",
    "parse",
    "quoted",
]
