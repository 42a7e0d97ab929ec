"""What changed between two builds: the rows of a mart that are not the same in both, in SQL."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import pgrest_query
from psycopg2.extensions import quote_ident

from elute.database.builds import Column, Mart
from elute.database.sessions import Session

KINDS = ("added", "removed", "changed")
SAMPLES = 10  # rows of each kind
WITHOUT_EQUALITY = frozenset({"json", "xml", "point", "polygon", "box", "circle"})
_BY_KEY = """
select
    {key},
    case
        when before.{first} is null then 'added' when after.{first} is null then 'removed'
        else 'changed'
    end as change
    {columns}
from {before} as before
full join {after} as after on {join}
where before.{first} is null or after.{first} is null {differs}
"""
_ONE_ROW = """
select 'changed' as change {columns}
from {before} as before
cross join {after} as after
where false {differs}
"""
_HAS_ONE_ROW = "select count(*) = 1 from (select from {} limit 2) as some_rows"
# As many rows as one build has more of than the other.
_AS_BAGS = """
select
    case when difference > 0 then 'added' else 'removed' end as change
    {columns}
from (
    select {names} sum(sign) as difference
    from (
        select {values} -1 as sign from {before} as _before
        union all
        select {values} 1 from {after} as _after
    ) as both_builds
    group by ({group})
    having sum(sign) <> 0
) as differences
cross join generate_series(1, abs(difference))
"""
_SUMMARY = """
with changes as materialized ({query}),

different as (select {counts} from changes where change = 'changed' having true)

select json_build_object(
    'added', (select count(*) from changes where change = 'added'),
    'removed', (select count(*) from changes where change = 'removed'),
    'changed', (select count(*) from changes where change = 'changed'),
    'columns', (select row_to_json(different) from different),
    'samples', json_build_object({samples})
)::text
"""
_SAMPLE = """
'{kind}', (
    select coalesce(json_agg(sample), '[]')
    from (select * from changes where change = '{kind}' order by {order} limit {most}) as sample
)
"""


@dataclass(frozen=True, eq=False)
class Comparison:
    """A mart of one build beside that of another.

    Attributes:
        key: the columns that tell which rows are the same; none if there is one row in each, or
            they are compared as bags, in which no row is changed.
        new: the columns that only the later one has; they are not compared.
        gone: those that only the earlier one has.
        rows: the rows that differ: the key, `change` (one of KINDS), and of each other column what
            was as `before_…`, and what is as `after_…`.
        summary: SQL for how many rows of each kind there are, in how many of those that changed
            each column differs, and SAMPLES of each kind, as one JSON object. As in a `Table`, each
            % in it is doubled, for it is executed with values.
    """

    key: tuple[str, ...]
    new: tuple[str, ...]
    gone: tuple[str, ...]
    rows: Mart
    summary: str


class _Pair(NamedTuple):
    """A column that both have; names are quoted, and `cast` makes its values comparable."""

    before: Column
    after: Column
    name: str
    was: str
    now: str
    cast: str


def compare(session: Session, before: Mart, after: Mart) -> Comparison:
    """How to compare a mart of one build with that of another.

    Args:
        session: says how names are quoted.
        before: that of the one build.
        after: that of the other; what is added is in it.
    """
    common = [
        _pair(session, before.by_name[column.name], column)
        for column in after.columns
        if column.name in before.by_name
    ]
    names = _common_key(before, after)
    key = [pair for pair in common if pair.after.name in names]
    others = [pair for pair in common if pair.after.name not in names]
    tables = {
        "before": _quoted(session, before.table.schema, before.table.name),
        "after": _quoted(session, after.table.schema, after.table.name),
    }
    is_bag = not key and not all(_has_one_row(session, table) for table in tables.values())
    query = _as_bags(others, tables) if is_bag else _by_key(key, others, tables)
    columns = (
        *(pair.after for pair in key),
        Column("change", "text", f"What became of the row: {', '.join(KINDS)}.", nullable=False),
        *(
            _side(name, column, is_text=bool(pair.cast) and is_bag)
            for pair in others
            for name, column in (("before", pair.before), ("after", pair.after))
        ),
    )
    order = tuple(column.name for column in columns) if is_bag else names or ("change",)
    summary = _summary(query, others, ", ".join(_quoted(session, name) for name in order))
    table = pgrest_query.Table(
        *("", "", columns, order), f"the changes of {after.name}", query.replace("%", "%%")
    )
    return Comparison(
        names,
        tuple(name for name in after.by_name if name not in before.by_name),
        tuple(name for name in before.by_name if name not in after.by_name),
        Mart(after.name, after.description, columns, table),
        summary.replace("%", "%%"),
    )


def _has_one_row(session: Session, table: str) -> bool:
    with session.cursor() as cursor:
        cursor.execute(_HAS_ONE_ROW.format(table))
        return cursor.fetchone() == (True,)


def _common_key(before: Mart, after: Mart) -> tuple[str, ...]:
    key = after.table.key
    is_common = key == before.table.key and all(
        before.by_name[name].data_type == after.by_name[name].data_type for name in key
    )
    return key if is_common else ()


def _pair(session: Session, before: Column, after: Column) -> _Pair:
    types = {before.data_type, after.data_type}
    is_comparable = len(types) == 1 and after.data_type.rstrip("[]") not in WITHOUT_EQUALITY
    name, was, now = (_quoted(session, side + after.name) for side in ("", "before_", "after_"))
    return _Pair(before, after, name, was, now, "" if is_comparable else "::text")


def _side(side: str, column: Column, is_text: bool) -> Column:
    data_type = "text" if is_text else column.data_type
    return replace(column, name=f"{side}_{column.name}", data_type=data_type, nullable=True)


def _by_key(key: list[_Pair], others: list[_Pair], tables: dict[str, str]) -> str:
    return (_BY_KEY if key else _ONE_ROW).format(
        **tables,
        first=key[0].name if key else "",
        key=", ".join(f"coalesce(after.{p.name}, before.{p.name}) as {p.name}" for p in key),
        join=" and ".join(f"before.{p.name} = after.{p.name}" for p in key),
        columns="".join(f", before.{p.name} as {p.was}, after.{p.name} as {p.now}" for p in others),
        differs="".join(
            f" or before.{p.name}{p.cast} is distinct from after.{p.name}{p.cast}" for p in others
        ),
    )


def _as_bags(columns: list[_Pair], tables: dict[str, str]) -> str:
    names = [f"c{number}" for number in range(len(columns))]
    numbered = list(zip(columns, names, strict=True))
    return _AS_BAGS.format(
        **tables,
        names="".join(f"{name}, " for name in names),
        group=", ".join(names),
        values="".join(f"{p.name}{p.cast} as {name}, " for p, name in numbered),
        columns="".join(
            f", case when difference < 0 then {name} end as {p.was}"
            f", case when difference > 0 then {name} end as {p.now}"
            for p, name in numbered
        ),
    )


def _summary(query: str, others: list[_Pair], order: str) -> str:
    counts = [
        f"count(*) filter (where {p.was}{p.cast} is distinct from {p.now}{p.cast}) as {p.name}"
        for p in others
    ]
    samples = [_SAMPLE.format(kind=kind, order=order, most=SAMPLES) for kind in KINDS]
    return _SUMMARY.format(query=query, counts=", ".join(counts), samples=", ".join(samples))


def _quoted(session: Session, *names: str) -> str:
    return ".".join(quote_ident(name, session) for name in names)
