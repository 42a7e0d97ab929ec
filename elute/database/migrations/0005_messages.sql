-- What receivers outside are told of runs: written by the statement that ends a run, whoever sends it.
create table elute.messages (
    message_number bigint generated always as identity primary key,
    webhook_id uuid not null default gen_random_uuid(),
    run_id bigint not null references elute.runs (run_id) on delete cascade,
    created_at timestamptz not null default clock_timestamp(),
    type text not null,
    data jsonb not null
);

create table elute.deliveries (
    message_number bigint not null references elute.messages (message_number) on delete cascade,
    receiver text not null,
    attempts bigint not null default 0,
    next_attempt_at timestamptz default clock_timestamp(),
    delivered_at timestamptz,
    last_answer text,
    primary key (message_number, receiver)
);

comment on column elute.messages.data is 'Counts and words; nothing that a file says of anybody.';
comment on column elute.deliveries.receiver is 'Its host, and a part of a hash of its address, which may be a secret.';
comment on column elute.deliveries.next_attempt_at is 'Null if it has the message, or was given up.';

-- The files of which more records were dropped than before.
create function elute.dropped_rises(before jsonb, after jsonb) returns jsonb language sql as $$
    select jsonb_agg(
        jsonb_build_object('file', source_file, 'from', earlier.records_dropped, 'to', later.records_dropped)
        order by source_file
    )
    from jsonb_to_recordset(before) as earlier (source_file text, records_dropped bigint)
    inner join jsonb_to_recordset(after) as later (source_file text, records_dropped bigint)
        using (source_file)
    where later.records_dropped > earlier.records_dropped
$$;

-- The channel wakes the worker; its payload is what a ping says of the run.
create function elute.tell_of_run() returns trigger language plpgsql as $$
declare
    previous elute.runs;
    published elute.runs;
    told jsonb;
    rises jsonb;
begin
    if new.state = 'queued' then
        return null;
    end if;
    if new.started_at is not null then
        perform pg_notify(
            'elute_messages',
            case new.state when 'running' then 'start' when 'succeeded' then 'success' else 'fail' end
            || ' ' || new.run_id
        );
    end if;
    if new.state not in ('succeeded', 'failed', 'crashed')
        or exists (select from elute.runs where retry_of = new.run_id)
    then
        return null;
    end if;

    select * into previous
    from elute.runs as earlier
    where run_id <> new.run_id and state in ('succeeded', 'failed', 'crashed')
        and not exists (select from elute.runs where retry_of = earlier.run_id)
    order by finished_at desc, run_id desc
    limit 1;

    told := jsonb_build_object(
        'run_id', new.run_id,
        'trigger', new.trigger,
        'seconds', extract(epoch from new.finished_at - new.started_at)::numeric(12, 1)
    );
    if new.state <> 'succeeded' then
        if previous.state is null or previous.state = 'succeeded' then
            insert into elute.messages (run_id, type, data) values (
                new.run_id,
                'run.failed',
                told || jsonb_build_object(
                    'error_kind', new.error_kind,
                    'message', format(
                        'Run %s failed: %s. What was published before stays.',
                        new.run_id,
                        case new.error_kind
                            when 'input' then 'the files are at fault'
                            when 'build' then 'a model or a check is at fault'
                            when 'database' then 'the database is at fault'
                            else 'Elute was interrupted'
                        end
                    )
                )
            );
        end if;
        return null;
    end if;

    if previous.state <> 'succeeded' then
        insert into elute.messages (run_id, type, data) values (
            new.run_id,
            'run.recovered',
            told || jsonb_build_object(
                'message', format('Run %s succeeded, after run %s had failed.', new.run_id, previous.run_id)
            )
        );
    end if;
    if new.inputs is null then
        return null;
    end if;
    insert into elute.messages (run_id, type, data)
    select
        new.run_id,
        'build.published',
        told || jsonb_build_object(
            'files', new.inputs,
            'message', 'Built and published. ' || string_agg(
                format('%s: %s of %s records kept.', source_file, records_kept, records_read),
                ' ' order by source_file
            )
        )
    from jsonb_to_recordset(new.inputs)
        as files (source_file text, records_read bigint, records_kept bigint);

    select * into published
    from elute.runs
    where run_id <> new.run_id and state = 'succeeded' and inputs is not null
    order by finished_at desc, run_id desc
    limit 1;
    rises := elute.dropped_rises(published.inputs, new.inputs);
    if rises is not null then
        insert into elute.messages (run_id, type, data)
        select
            new.run_id,
            'data.dropped_rose',
            told || jsonb_build_object(
                'files', rises,
                'message', string_agg(
                    format('%s: dropped records rose from %s to %s.', file, "from", "to"), ' ' order by file
                )
            )
        from jsonb_to_recordset(rises) as files (file text, "from" bigint, "to" bigint);
    end if;
    return null;
end
$$;

create trigger tell_of_start after insert on elute.runs
for each row execute function elute.tell_of_run();
create trigger tell_of_state after update on elute.runs
for each row when (old.state <> new.state) execute function elute.tell_of_run();
