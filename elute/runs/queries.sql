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
    inputs = %(inputs)s
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
delete from elute.run_events
where run_id <= (
    select run_id from elute.runs order by run_id desc offset %(keep_runs)s limit 1
)

-- name: input_summary
select coalesce(jsonb_agg(to_jsonb(input_summary) order by source_file desc), '[]')
from marts.input_summary

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
select pg_try_advisory_lock(hashtextextended('elute worker', 0))

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
-- When the schedule was last served: by a request of its own, or by whatever was built since.
select greatest(max(requested_at) filter (where trigger = 'schedule'), max(started_at)) as moment
from elute.runs
where trigger <> 'terminal'
having bool_or(trigger = 'schedule')

-- name: last_files
-- The files as the last run that has noted them found them.
select run_events.data -> 'files' as files
from elute.run_events
where run_events.kind = 'started' and run_events.data ? 'files'
order by run_events.run_id desc
limit 1

-- name: has_marts
select to_regclass('marts.user_summary') is not null as has_marts

-- name: has_published
-- Whether a run has published its build, whatever became of its dbt afterwards.
select exists (
    select from builds.publications
    where run_id = %(run_id)s or invocation_id = %(invocation_id)s
) as has_published

-- name: last_published
select max(published_at)::text as moment from builds.publications

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
