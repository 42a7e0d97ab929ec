-- The builds that were published, the newest one being what readers see. Tables of builds are in the
-- same schema. All who make them take the lock, because `if not exists` alone is no protection against
-- each other. What was made by an older version gets the columns that it lacks.
select pg_advisory_xact_lock(hashtextextended('dbt-pgcopy builds', 0));
create schema if not exists {schema};
create table if not exists {schema}.publications (
    build bigint generated always as identity primary key,
    invocation_id text not null unique,
    run_id bigint,
    published_at timestamptz not null default clock_timestamp(),
    project_version text,
    options jsonb not null,
    files jsonb not null,
    tables jsonb not null
);
alter table {schema}.publications
    add column if not exists versions jsonb not null default '{{}}',
    add column if not exists returns_to bigint,
    add column if not exists requested_by text,
    add column if not exists reason text;
-- A crash of the server empties it with the tables of seeds, which may be unlogged, too.
create unlogged table if not exists {schema}.loaded_files (
    file text primary key,
    sha256 text not null,
    is_published boolean not null default false
);
comment on table {schema}.loaded_files is 'The file that the table of each seed holds.';
comment on column {schema}.loaded_files.sha256 is 'Empty after a run with --empty.';
comment on column {schema}.loaded_files.is_published is 'Whether a build of everything was made from it since another one was loaded.';
comment on table {schema}.publications is 'One row per published build; the newest one is what the views show.';
comment on column {schema}.publications.invocation_id is 'Of the dbt run that made it.';
comment on column {schema}.publications.run_id is 'What the caller knows that run by, if anything.';
comment on column {schema}.publications.options is 'What dbt was asked to do, and what else decided the outcome.';
comment on column {schema}.publications.files is 'SHA-256 of each file that it was made from, by file name.';
comment on column {schema}.publications.tables is 'By name of the mart: schema, table, view_schema, description, meta, column_meta, sql.';
comment on column {schema}.publications.versions is 'Of dbt, of PostgreSQL, and of what else the caller names.';
comment on column {schema}.publications.returns_to is 'The earlier build that it is, or was made again from the files of.';
comment on column {schema}.publications.requested_by is 'Who asked for that return.';
comment on column {schema}.publications.reason is 'Why they did.';
