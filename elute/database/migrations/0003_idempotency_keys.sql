-- What was asked for with an Idempotency-Key, kept for a day, so that asking again gives the same run.
create table elute.idempotency_keys (
    key text primary key,
    request jsonb not null,
    run_id bigint references elute.runs (run_id) on delete cascade,
    asked_at timestamptz not null default clock_timestamp()
);
