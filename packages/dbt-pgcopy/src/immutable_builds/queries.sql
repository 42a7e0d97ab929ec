-- The queries of this package, by name. In braces: names; %s and %(name)s: values.

-- name: register
insert into {} (
    invocation_id, run_id, project_version, options, files, tables, versions,
    returns_to, requested_by, reason
)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
returning build

-- name: persistence
-- Of a table: p if it is logged, u if not; none without one.
select relpersistence::text from pg_class where oid = to_regclass(%s)

-- name: note_loaded
insert into {} as loaded (file, sha256) values (%s, %s)
on conflict (file) do update set
    sha256 = excluded.sha256,
    is_published = loaded.is_published and loaded.sha256 = excluded.sha256

-- name: loaded
-- Of seeds that the project has still.
select file, sha256, is_published from {loaded_files} where file = any(%s)

-- name: note_published
update {loaded_files} set is_published = true where file = any(%s)

-- name: shows
-- Whether a view reads a relation.
select from pg_depend
inner join pg_rewrite on pg_depend.objid = pg_rewrite.oid
where pg_depend.classid = 'pg_rewrite'::regclass
    and pg_rewrite.ev_class = to_regclass(%s) and pg_depend.refobjid = to_regclass(%s)

-- name: build_before
-- None before that of an invocation that published nothing.
select build, returns_to, requested_by, reason
from {publications}
where build < (select build from {publications} where invocation_id = %s)
order by build desc
limit 1

-- name: files
select file.value
from {} as builds
cross join lateral jsonb_each_text(builds.files) as file
group by file.value
order by max(builds.build) desc

-- name: locks
-- All at once, for whoever reads two marts may hold the one and want the other. Changes nothing.
select string_agg(
    format('alter table %%s owner to %%I', oid::regclass, pg_get_userbyid(relowner)), '; '
    order by oid::regclass::text
)
from pg_class
where oid in (select to_regclass(name) from unnest(%s::text[]) as name)

-- name: unpublished
-- Tables that are named like those of builds, of an invocation that has published none.
select
    relname,
    case relkind when 'v' then 'view' else 'table' end
from pg_class
where relnamespace = to_regnamespace(%(schema)s)
    and relkind in ('r', 'v') and relname ~ ('__' || %(suffix)s || '$')
    and right(relname, 32) not in (select replace(invocation_id, '-', '') from {publications})
-- What reads others is younger.
order by oid desc

-- name: unneeded
-- Tables of builds that none of the newest ones names; a mart may say in its meta that fewer builds
-- keep theirs.
select
    relname,
    case relkind when 'v' then 'view' else 'table' end
from pg_class
where relnamespace = to_regnamespace(%(schema)s)
    and relkind in ('r', 'v') and relname ~ '__[0-9a-f]{{32}}$'
    and relname not in (
        select entry.value ->> 'table'
        from (
            select
                tables,
                row_number() over (order by build desc) as age
            from {publications}
            order by build desc
            limit %(keep)s
        ) as newest
        cross join lateral jsonb_each(newest.tables) as entry
        where age <= coalesce((entry.value #>> '{{meta,kept_builds}}')::bigint, age)
    )
order by oid desc

-- name: grants
-- What others were granted, as statements.
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

-- name: readers
-- Views that read a relation, as statements that make them read whatever has its name by then.
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

-- name: adopted
-- Whoever may read a table may read its view, and what is said of the one holds for the other.
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

-- name: holders
-- Whoever has only read `publications` is in nobody's way.
select
    activity.pid,
    coalesce(nullif(activity.application_name, ''), 'a session without a name'),
    coalesce(activity.usename::text, 'unknown'),
    coalesce(activity.xact_start::timestamp(0)::text, 'unknown'),
    extract(epoch from clock_timestamp() - activity.xact_start)::float,
    string_agg(distinct held.relation::regclass::text, ', '),
    held.virtualtransaction
from pg_locks as held
join pg_stat_activity as activity using (pid)
where held.locktype = 'relation' and held.granted and held.pid <> pg_backend_pid()
    and held.database = (select oid from pg_database where datname = current_database())
    and (
        held.relation in (select to_regclass(name) from unnest(%(views)s::text[]) as name)
        or held.relation = %(publications)s::regclass
        and held.mode not in ('AccessShareLock', 'RowShareLock')
    )
group by
    activity.pid,
    activity.application_name,
    activity.usename,
    activity.xact_start,
    held.virtualtransaction
order by activity.xact_start
