"""Views on tables of builds: pointed at another table with all that others have made of them."""

from collections.abc import Mapping, Sequence

from psycopg2 import errors, sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812

Name = tuple[str, str]  # schema and name

_KIND = """
select relkind::text from pg_class
where oid = to_regclass(%s)
"""
# What others were granted, as statements.
_GRANTS = """
select format(
    'grant %%s on %%s to %%s%%s',
    acl.privilege_type || acl.columns,
    %(name)s,
    case acl.grantee when 0 then 'public' else acl.grantee::regrole::text end,
    case when acl.is_grantable then ' with grant option' else '' end
)
from pg_class
cross join lateral (
    select entry.*, '' as columns from aclexplode(pg_class.relacl) as entry
    union all
    select entry.*, format(' (%%I)', pg_attribute.attname)
    from pg_attribute
    cross join lateral aclexplode(pg_attribute.attacl) as entry
    where pg_attribute.attrelid = pg_class.oid and not pg_attribute.attisdropped
) as acl
where pg_class.oid = %(name)s::regclass and acl.grantee <> pg_class.relowner
"""
# Views that read a relation, as statements that make them read whatever has its name by then.
_READERS = """
select distinct format(
    'create or replace view %%s%%s as %%s',
    view.oid::regclass,
    ' with (' || array_to_string(view.reloptions, ', ') || ')',
    pg_get_viewdef(view.oid)
)
from pg_depend
inner join pg_rewrite on pg_depend.objid = pg_rewrite.oid
inner join pg_class as view on pg_rewrite.ev_class = view.oid
where pg_depend.classid = 'pg_rewrite'::regclass
    and pg_depend.refclassid = 'pg_class'::regclass
    and pg_depend.refobjid = %s::regclass
    and view.relkind = 'v' and view.oid <> pg_depend.refobjid
"""
# Whoever may read a table may read its view, and what is said of the one holds for the other.
_ADOPTED = """
with

pairs as (
    select view::regclass::oid as view_oid, source::regclass::oid as source_oid
    from unnest(%(views)s::text[], %(sources)s::text[]) as pair (view, source)
),

grants as (
    select format(
        'grant select on %%s to %%s',
        pairs.view_oid::regclass,
        case acl.grantee when 0 then 'public' else acl.grantee::regrole::text end
    ) as statement
    from pairs
    inner join pg_class as source on pairs.source_oid = source.oid
    inner join pg_class as view on pairs.view_oid = view.oid
    cross join lateral aclexplode(source.relacl) as acl
    where acl.privilege_type = 'SELECT' and acl.grantee <> source.relowner
        and not exists (
            select from aclexplode(view.relacl) as had
            where had.grantee = acl.grantee and had.privilege_type = 'SELECT'
        )
),

comments as (
    select format(
        'comment on %%s is %%L',
        case
            when part.attname is null
                then 'view ' || pairs.view_oid::regclass
            else format('column %%s.%%I', pairs.view_oid::regclass, part.attname)
        end,
        part.said
    ) as statement
    from pairs
    cross join lateral (
        select
            null::name as attname,
            obj_description(pairs.source_oid, 'pg_class') as said,
            obj_description(pairs.view_oid, 'pg_class') as said_before
        union all
        select
            source.attname,
            col_description(source.attrelid, source.attnum),
            col_description(view.attrelid, view.attnum)
        from pg_attribute as source
        inner join pg_attribute as view
            on view.attrelid = pairs.view_oid and source.attname = view.attname
        where source.attrelid = pairs.source_oid and source.attnum > 0
            and not source.attisdropped
    ) as part
    where part.said is distinct from part.said_before
)

select statement from grants union all select statement from comments
"""


class InTheWayError(Exception):
    """A view cannot be made because of something that others have made; says of what."""


def point_view(cursor: Cursor, view: Name, table: Name) -> None:
    """Make a view show a table; the view may be there, or be a table of the same name.

    Raises:
        InTheWayError: something depends on what has to be dropped for that.
    """
    statement = sql.SQL("create or replace view {} as select * from {}").format(
        sql.Identifier(*view), sql.Identifier(*table)
    )
    cursor.execute(_KIND, [_text(cursor, view)])
    kind = cursor.fetchone()
    if kind == ("r",):
        _replace_table(cursor, view, statement)
        return
    cursor.execute("savepoint before_view")
    try:
        cursor.execute(statement)
    except errors.InvalidTableDefinition:
        # Columns can only be added, at the end.
        cursor.execute("rollback to savepoint before_view")
        grants = _statements(cursor, _GRANTS, {"name": _text(cursor, view)})
        drop_view(cursor, view, "its columns have changed")
        cursor.execute(statement)
        _execute_where_possible(cursor, grants)
    except errors.WrongObjectType as error:
        raise InTheWayError(
            f"{'.'.join(view)} is neither a view nor a table, and so cannot show a build: "
            "drop it, and build again."
        ) from error


def drop_view(cursor: Cursor, view: Name, reason: str) -> None:
    """Drop a view, for this reason, if nothing depends on it; what is a table by now, stays.

    Raises:
        InTheWayError: something does.
    """
    name = sql.Identifier(*view)
    cursor.execute(
        "select from pg_class where oid = to_regclass(%s) and relkind = 'v'",
        [name.as_string(cursor)],
    )
    if not cursor.rowcount:
        return
    try:
        cursor.execute(sql.SQL("drop view {}").format(name))
    except errors.DependentObjectsStillExist as error:
        raise _in_the_way(view, reason, error) from error


def adopt_grants_and_comments(cursor: Cursor, views: Sequence[str], tables: Sequence[str]) -> None:
    """Let who may read a table read its view, and describe the view as the table is.

    Args:
        cursor: with an empty search path.
        views: quoted names.
        tables: of each view, in the same order.
    """
    values = {"views": list(views), "sources": list(tables)}
    statements = _statements(cursor, _ADOPTED, values)
    if statements:
        cursor.execute(";\n".join(statements))


def _replace_table(cursor: Cursor, name: Name, statement: sql.Composable) -> None:
    """Put a view in the place of a table, and let the views that read the table read the view."""
    text = _text(cursor, name)
    grants = _statements(cursor, _GRANTS, {"name": text})
    cursor.execute(_READERS, [text])
    readers = [reader for (reader,) in cursor.fetchall()]
    aside = f"{name[1][:40]}__dbt_old"
    cursor.execute(
        sql.SQL("alter table {} rename to {}").format(sql.Identifier(*name), sql.Identifier(aside))
    )
    cursor.execute(statement)
    _execute_where_possible(cursor, grants)
    try:
        for reader in readers:
            cursor.execute(reader)
        cursor.execute(sql.SQL("drop table {}").format(sql.Identifier(name[0], aside)))
    except (errors.DependentObjectsStillExist, errors.InvalidTableDefinition) as error:
        raise _in_the_way(name, "it is to become a view", error) from error


def _execute_where_possible(cursor: Cursor, statements: Sequence[str]) -> None:
    """Grants on columns that are gone, or of kinds that a view has none of, are not made."""
    for statement in statements:
        cursor.execute("savepoint before_grant")
        try:
            cursor.execute(statement)
        except (errors.UndefinedColumn, errors.InvalidGrantOperation, errors.WrongObjectType):
            cursor.execute("rollback to savepoint before_grant")


def _statements(cursor: Cursor, query: str, values: Mapping[str, object]) -> list[str]:
    cursor.execute(query, values)
    return [statement for (statement,) in cursor.fetchall()]


def _in_the_way(name: Name, reason: str, error: errors.Error) -> InTheWayError:
    detail = " ".join((error.diag.message_detail or str(error)).split()).rstrip(".")
    return InTheWayError(
        f"{'.'.join(name)} has to be made anew, for {reason}, and others depend on it: {detail}. "
        "Drop what depends on it, build again, and make that anew."
    )


def _text(cursor: Cursor, name: Name) -> str:
    return sql.Identifier(*name).as_string(cursor)
