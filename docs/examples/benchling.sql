-- Elute's three files from Benchling's warehouse, in the folder that psql is started in:
--     psql --quiet --file docs/examples/benchling.sql
-- The tables run and compound stand for those of your result schema and your compound schema, and
-- run_time, compounds and smiles for their fields. Elute wants numbers: the first 15 digits of a hash
-- of Benchling's id are one, and the same in each export.
\set ON_ERROR_STOP on

\o users.csv
copy (
    select
        ('x' || left(md5(id), 15))::bit(60)::bigint as user_id,
        name,
        email,
        created_at::date as signup_date
    from "user"
) to stdout (format csv, header);

\o compounds.csv
copy (
    select
        ('x' || left(md5(id), 15))::bit(60)::bigint as compound_id,
        name as compound_name,
        smiles as compound_structure
    from compound
) to stdout (format csv, header);

\o user_experiments.csv
copy (
    select
        ('x' || left(md5(run.id), 15))::bit(60)::bigint as experiment_id,
        ('x' || left(md5(entry.creator_id), 15))::bit(60)::bigint as user_id,
        (
            select string_agg(('x' || left(md5(link.id), 15))::bit(60)::bigint::text, ';')
            from jsonb_array_elements_text(run.compounds) as link (id)
        ) as experiment_compound_ids,
        run.run_time as experiment_run_time
    from run
    inner join entry on run.entry_id = entry.id
) to stdout (format csv, header);
