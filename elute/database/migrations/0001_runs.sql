-- A run is one `dbt build`. At most one waits and one is going on, whoever asks; a build in a
-- terminal is only noted here, for it is the run lock of dbt-pgcopy that keeps it apart.
create table elute.runs (
    run_id bigint generated always as identity primary key,
    trigger text not null check (
        trigger in ('http', 'schedule', 'file change', 'first build', 'terminal')
    ),
    requested_by text,
    options jsonb not null default '{}',
    state text not null default 'queued' check (
        state in ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'stopped', 'crashed')
    ),
    request_count bigint not null default 1,
    retry_of bigint references elute.runs (run_id) on delete set null,
    requested_at timestamptz not null default clock_timestamp(),
    started_at timestamptz,
    finished_at timestamptz,
    cancel_requested_at timestamptz,
    is_warm boolean,
    node_count bigint,
    error_kind text check (error_kind in ('input', 'build', 'database', 'elute')),
    error text,
    inputs jsonb
);

comment on column elute.runs.request_count is 'How many triggers it answers.';
comment on column elute.runs.retry_of is 'The run that ended when its worker did, and that this one makes up for.';
comment on column elute.runs.is_warm is 'Whether dbt was already loaded.';
comment on column elute.runs.error_kind is 'Who can mend it: the lab (input), the project (build), the server (database), us (elute).';
comment on column elute.runs.inputs is 'The mart input_summary as it was published, a JSON array.';

create unique index runs_one_queued on elute.runs ((true)) where state = 'queued';
create unique index runs_one_running on elute.runs ((true))
where state = 'running' and trigger <> 'terminal';

-- What happened in a run, in order.
create table elute.run_events (
    run_id bigint not null references elute.runs (run_id) on delete cascade,
    event_number bigint not null,
    happened_at timestamptz not null default clock_timestamp(),
    kind text not null,
    data jsonb not null,
    primary key (run_id, event_number)
);

-- Which table a mart has been since when; a build replaces the table, so its oid tells them apart.
create table elute.publications (
    mart_name text primary key,
    table_oid oid not null,
    published_at timestamptz not null
);

-- Called at the end of each dbt build, and before the service starts.
create function elute.record_publications() returns void language sql as $$
    insert into elute.publications as known (mart_name, table_oid, published_at)
    select pg_class.relname, pg_class.oid, clock_timestamp()
    from pg_class
    where pg_class.relnamespace = to_regnamespace('marts') and pg_class.relkind = 'r'
        and pg_class.relname not like '%\_\_dbt\_%'
    on conflict (mart_name) do update
    set table_oid = excluded.table_oid, published_at = excluded.published_at
    where known.table_oid <> excluded.table_oid
$$;
