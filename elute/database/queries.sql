-- name: request
-- Queue a run, or join the one that waits.
insert into elute.runs as waiting (trigger, requested_by, options, retry_of)
values (%(trigger)s, %(requested_by)s, %(options)s, %(retry_of)s)
on conflict ((true)) where state = 'queued'
do update set
    request_count = waiting.request_count + (waiting.options = excluded.options)::int,
    retry_of = case
        when waiting.options = excluded.options
            then coalesce(excluded.retry_of, waiting.retry_of)
        else waiting.retry_of
    end
returning *

-- name: note_terminal
insert into elute.runs (trigger, requested_by, options, state, started_at)
values ('terminal', %(requested_by)s, %(options)s, 'running', clock_timestamp())
returning *

-- name: start_next
update elute.runs
set state = 'running', started_at = clock_timestamp()
where state = 'queued'
returning *

-- name: describe
update elute.runs
set
    is_warm = coalesce(%(is_warm)s, is_warm),
    node_count = coalesce(%(node_count)s, node_count)
where run_id = %(run_id)s

-- name: finish
update elute.runs
set
    state = %(state)s,
    finished_at = clock_timestamp(),
    error_kind = %(error_kind)s,
    error = %(error)s,
    inputs = %(inputs)s,
    warnings = array(
        select data ->> 'name'
        from elute.run_events
        where run_id = %(run_id)s and kind = 'node_finished' and data ->> 'status' = 'warn'
        order by event_number
    )
where run_id = %(run_id)s and state in ('queued', 'running')
returning *

-- name: cancel
-- A waiting run is cancelled at once; one that is going on is asked to stop.
update elute.runs
set
    cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp()),
    state = case state when 'queued' then 'cancelled' else state end,
    finished_at = case state when 'queued' then clock_timestamp() end
where run_id = %(run_id)s and state in ('queued', 'running') and trigger <> 'terminal'
returning *

-- name: get
select * from elute.runs where run_id = %(run_id)s

-- name: latest_try
-- The run, or the last of those that make up for it.
with recursive tries as (
    select * from elute.runs where run_id = %(run_id)s

    union all

    select later.*
    from tries
    inner join elute.runs as later
        on later.retry_of = tries.run_id and later.run_id > tries.run_id
)

select * from tries order by run_id desc limit 1

-- name: page
select * from elute.runs
where (%(before)s::bigint is null or run_id < %(before)s)
    and (%(state)s::text is null or state = %(state)s)
order by run_id desc
limit %(limit)s

-- name: running
select * from elute.runs where state = 'running'

-- name: append_events
-- Only whoever runs it writes a run's events, and the last one whoever finds that one dead.
insert into elute.run_events (run_id, event_number, happened_at, kind, data)
select %(run_id)s, last.event_number + new.position, new.happened_at, new.kind, new.data
from rows from (
    unnest(%(happened_at)s::timestamptz[]), unnest(%(kind)s::text[]), unnest(%(data)s::jsonb[])
) with ordinality as new (happened_at, kind, data, position)
cross join (
    select coalesce(max(event_number), 0) as event_number
    from elute.run_events
    where run_id = %(run_id)s
) as last

-- name: events_after
select event_number, happened_at, kind, data
from elute.run_events
where run_id = %(run_id)s and event_number > %(after)s
order by event_number
limit %(limit)s

-- name: usual_durations
-- The seconds that recent successful runs took, the newest first.
select extract(epoch from finished_at - started_at)::float as seconds
from elute.runs
where state = 'succeeded' and trigger <> 'terminal'
order by run_id desc
limit 5

-- name: forget_events
-- Those of all but the newest `keep_runs` runs.
delete from elute.run_events
where run_id <= (
    select run_id from elute.runs order by run_id desc offset %(keep_runs)s limit 1
)

-- name: table_of_run
-- Where a mart is in the build that a run has published; the view may show another one by then.
select tables -> %(mart)s as entry from builds.publications where run_id = %(run_id)s

-- name: listen
listen elute_runs

-- name: notify
select pg_notify('elute_runs', %(run_id)s::text)

-- name: backends
-- Sessions of a run: its child names them so.
select pid from pg_stat_activity
where datname = current_database()
    and (application_name = %(name)s or application_name like %(name)s || ' %%')

-- name: terminate_backends
select pg_terminate_backend(pid) from pg_stat_activity
where datname = current_database()
    and (application_name = %(name)s or application_name like %(name)s || ' %%')

-- name: lock_worker
select pg_try_advisory_lock(hashtextextended('elute worker', 0)) as is_locked

-- name: lock_run
-- Held for as long as whoever runs it lives.
select pg_try_advisory_lock(hashtextextended('elute run', %(run_id)s)) as is_locked

-- name: unlock_run
select pg_advisory_unlock(hashtextextended('elute run', %(run_id)s))

-- name: has_worker
-- Whether somebody holds `lock_worker` on this database.
select exists (
    select from pg_locks
    where locktype = 'advisory' and objsubid = 1 and granted
        and database = (select oid from pg_database where datname = current_database())
        and (classid::bigint << 32) | objid::bigint = hashtextextended('elute worker', 0)
) as has_worker

-- name: last_scheduled
-- When the schedule was last served: by itself, with a run or without, or by whatever was built since.
select greatest(
    max(requested_at) filter (where trigger = 'schedule'),
    max(started_at),
    (select served_at from elute.schedule)
) as moment
from elute.runs
where trigger <> 'terminal'
having bool_or(trigger = 'schedule') or exists (select from elute.schedule)

-- name: note_schedule
insert into elute.schedule (served_at) values (%(moment)s)
on conflict (is_only) do update set served_at = excluded.served_at

-- name: last_files
-- The files as the last run that has noted them found them.
select run_events.data -> 'files' as files
from elute.run_events
where run_events.kind = 'started' and run_events.data ? 'files'
order by run_events.run_id desc
limit 1

-- name: has_marts
-- Whether a build is published and shown; marts that an older Elute has made may be of no build.
select
    exists (select from builds.publications)
    and to_regclass('marts.user_summary') is not null as has_marts

-- name: has_published
-- Whether a run has published its build, whatever became of its dbt afterwards.
select exists (
    select from builds.publications
    where run_id = %(run_id)s or invocation_id = %(invocation_id)s
) as has_published

-- name: published
-- The published build, if a run has made all of it, all of it is there, no run waits or goes on, and
-- the last one that came to an end by itself has succeeded.
select build, run_id, published_at, options, files, project_version, versions
from (select * from builds.publications order by build desc limit 1) as newest
where exists (
    select from elute.runs
    where run_id = newest.run_id and state = 'succeeded'
        and coalesce(options -> 'arguments', '[]') = '[]'
)
and not exists (select from elute.runs where state in ('queued', 'running'))
and (
    select state from elute.runs
    where state in ('succeeded', 'failed', 'crashed')
    order by finished_at desc, run_id desc
    limit 1
) = 'succeeded'
and not exists (
    select from jsonb_each(tables) as entry
    left join pg_class
        on pg_class.oid
        = to_regclass(format('%%I.%%I', entry.value ->> 'schema', entry.value ->> 'table'))
    where pg_class.oid is null
        or to_regclass(format('%%I.%%I', entry.value ->> 'view_schema', entry.key)) is null
        -- emptied by a crash of the server
        or (
            pg_class.relpersistence = 'u'
            and pg_class.reltuples > 0
            and pg_relation_size(pg_class.oid) = 0
        )
)

-- name: find_build
select build, run_id, published_at, options, files, project_version, versions
from builds.publications
where build = %(build)s

-- name: builds
select
    publications.build,
    publications.run_id,
    publications.published_at,
    publications.project_version,
    publications.options,
    publications.files,
    publications.versions,
    publications.returns_to,
    publications.requested_by,
    publications.reason,
    served.marts,
    served.is_kept
from builds.publications
cross join lateral (
    select
        coalesce(array_agg(entry.key order by entry.key), '{}') as marts,
        coalesce(bool_and(
            to_regclass(format('%%I.%%I', entry.value ->> 'schema', entry.value ->> 'table'))
            is not null
        ), true) as is_kept
    from jsonb_each(publications.tables) as entry
    where entry.value #>> '{meta,served}' is distinct from 'false'
) as served
where (build < %(before)s or %(before)s is null) and (build >= %(since)s or %(since)s is null)
order by build desc
limit %(limit)s

-- name: first_with_tables
-- The oldest build that has a table named after it, as by table_name() of immutable_builds: no older one
-- has any.
select min(build) as build
from builds.publications
where replace(invocation_id, '-', '') in (
    select substring(relname from '__([0-9a-f]{32})$')
    from pg_class
    where relnamespace = to_regnamespace('builds')
)

-- name: build_at
select build from builds.publications where published_at <= %(moment)s order by build desc limit 1

-- name: first_build
select published_at from builds.publications order by build limit 1

-- name: tables_of_build
select
    entry.key as name,
    entry.value as entry,
    entry.value -> 'meta' ? 'kept_builds' as is_kept_shorter,
    to_regclass(format('%%I.%%I', entry.value ->> 'schema', entry.value ->> 'table'))
        is not null as is_there
from builds.publications
cross join lateral jsonb_each(tables) as entry
where build = %(build)s

-- name: note_publication
-- A build in a terminal is noted beside it, so that dbt does not know its run.
update builds.publications set run_id = %(run_id)s where invocation_id = %(invocation_id)s

-- name: forget_project
-- dbt may have read another one than was noted: it has been changed meanwhile, and may be changed back.
update builds.publications set versions = versions - 'project'
where run_id = %(run_id)s and versions ->> 'project' <> %(project)s

-- name: forget_keys
delete from elute.idempotency_keys where asked_at < clock_timestamp() - interval '1 day'

-- name: take_key
-- Waits for whoever takes the same at this moment.
insert into elute.idempotency_keys (key, request) values (%(key)s, %(request)s)
on conflict do nothing
returning key

-- name: note_key
update elute.idempotency_keys set run_id = %(run_id)s where key = %(key)s

-- name: find_key
select request, run_id from elute.idempotency_keys where key = %(key)s

-- name: newest_project
-- What decides how the docs site of the newest build looks; its time, if it does not say of which project it is.
select
    case when versions ? 'project' then (versions || options)::text else published_at::text end
        as project
from builds.publications
order by build desc
limit 1

-- name: note_change
insert into elute.changes (who, asked_from, action, subject)
values (%(who)s, %(asked_from)s, %(action)s, %(subject)s)

-- name: changes
-- The newest, or those before one.
select change_number, changed_at, who, asked_from, action, subject
from elute.changes
where %(before)s::bigint is null or change_number < %(before)s
order by change_number desc
limit %(limit)s

-- name: listen_messages
listen elute_messages

-- name: notify_messages
select pg_notify('elute_messages', %(payload)s)

-- name: note_receivers
-- Those that are set now: one that is set again is a new one.
with gone as (
    delete from elute.receivers where receiver <> all(%(receivers)s::text[])
)

insert into elute.receivers (receiver, told_after)
select
    unnest(%(receivers)s::text[]),
    (select coalesce(max(message_number), 0) from elute.messages)
on conflict do nothing

-- name: note_return
-- In the transaction that publishes.
insert into elute.messages (type, data)
select
    'build.published',
    jsonb_build_object(
        'build', build,
        'returns_to', returns_to,
        'message', format('Build %%s was published again, as build %%s.', returns_to, build)
    )
from builds.publications
where build = %(build)s

-- name: plan_deliveries
-- A message that is older than the tries would last is not begun with.
insert into elute.deliveries (message_number, receiver)
select message_number, receiver
from elute.messages
inner join elute.receivers on message_number > told_after
where receiver = any(%(receivers)s) and created_at > clock_timestamp() - interval '1 day'
on conflict do nothing

-- name: due_delivery
select message_number, receiver, webhook_id, attempts, created_at, type, data
from elute.deliveries
inner join elute.messages using (message_number)
where receiver = any(%(receivers)s) and next_attempt_at <= clock_timestamp()
order by next_attempt_at, message_number
limit 1

-- name: note_attempt
update elute.deliveries
set
    attempts = attempts + 1,
    last_answer = %(answer)s,
    delivered_at = case when %(is_delivered)s then clock_timestamp() else delivered_at end,
    -- Null without a pause: there is no further attempt.
    next_attempt_at = clock_timestamp() + %(pause)s * interval '1 second'
where message_number = %(message_number)s and receiver = %(receiver)s

-- name: seconds_to_delivery
select extract(epoch from min(next_attempt_at) - clock_timestamp())::float as seconds
from elute.deliveries
where receiver = any(%(receivers)s)

-- name: resend
update elute.deliveries
set attempts = 0, next_attempt_at = clock_timestamp()
where message_number = %(message_number)s
returning receiver

-- name: messages
select
    message_number, run_id, created_at, type, data ->> 'message' as message,
    (
        select coalesce(
            jsonb_agg(to_jsonb(deliveries) - 'message_number' order by receiver), '[]'
        )
        from elute.deliveries
        where message_number = messages.message_number
    ) as deliveries
from elute.messages
where %(before)s::bigint is null or message_number < %(before)s
order by message_number desc
limit %(limit)s
