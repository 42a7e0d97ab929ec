-- Runs are numbered on from those that published what is here already: with their numbers, a run that
-- failed would be taken for the one that published.
do $$
begin
    if to_regclass('builds.publications') is not null then
        perform setval(pg_get_serial_sequence('elute.runs', 'run_id'), max(run_id))
        from (
            select run_id from builds.publications
            union all
            select run_id from elute.runs
        ) as known
        having max(run_id) is not null;
    end if;
end
$$;
