-- What the pipeline is measured against: the same job by hand, as fast as we can write it.
--
-- psql -v folder=FOLDER -f baseline.sql loads the three files and makes user_summary and
-- data_issues by the same rules, in the schema `baseline`. It reads only well-shaped files, has
-- no tests, and publishes whatever comes out. PostgreSQL 16 and later.

\set ON_ERROR_STOP on
\set QUIET on
set client_min_messages = warning;

drop schema if exists baseline cascade;
create schema baseline;
set search_path = baseline;

-- Inlined by the planner. Nearly every text is spelt the way PostgreSQL would write it.
create function to_bigint(text) returns bigint stable parallel safe return
case
    when pg_input_is_valid($1, 'bigint')
        then case when $1 = $1::bigint::text or $1 ~ '^[+-]?[0-9]+$' then $1::bigint end
end;

create function to_run_time(text) returns numeric stable parallel safe return
case
    when not pg_input_is_valid($1, 'numeric')
        then null
    when
        length($1) <= 1000
        and (
            $1 = $1::numeric::text
            or $1 ~ '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]{1,3})?$'
        )
        then case when $1::numeric between 0 and 1.7976931348623157e308 then $1::numeric end
end;

create function to_date(text) returns date stable parallel safe return
case
    when $1 ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' and pg_input_is_valid($1, 'date') then $1::date
end;

create function problem_of(text, noun text) returns text stable parallel safe return
case
    when $1 is null then noun || ' is missing'
    when $1 ~ '^[+-]?[0-9]+$' then noun || ' is out of range'
    else noun || ' is not an integer'
end;

-- Load

begin;
create unlogged table raw_users (
    record_number bigint generated always as identity (cache 1000),
    user_id text, name text, email text, signup_date text
);
create unlogged table raw_compounds (
    record_number bigint generated always as identity (cache 1000),
    compound_id text, compound_name text, compound_structure text
);
create unlogged table raw_user_experiments (
    record_number bigint generated always as identity (cache 1000),
    experiment_id text, user_id text, experiment_compound_ids text, experiment_run_time text
);
\cd :folder
\copy raw_users (user_id, name, email, signup_date) from users.csv (format csv, header)
\copy raw_compounds (compound_id, compound_name, compound_structure) from compounds.csv (format csv, header)
\copy raw_user_experiments (experiment_id, user_id, experiment_compound_ids, experiment_run_time) from user_experiments.csv (format csv, header)
commit;

-- Keep and drop

create unlogged table users as
select
    record_number,
    to_bigint(user_id) as user_id,
    name,
    email,
    to_date(signup_date) as signup_date,
    signup_date is not null as has_signup_date,
    row_number() over (partition by to_bigint(user_id) order by record_number) as occurrence
from raw_users;
analyze users;

create unlogged table compounds as
select
    record_number,
    to_bigint(compound_id) as compound_id,
    compound_name,
    compound_structure,
    row_number() over (partition by to_bigint(compound_id) order by record_number) as occurrence
from raw_compounds;
analyze compounds;

create unlogged table experiments as
select
    *,
    row_number() over (partition by experiment_id order by record_number) as occurrence
from (
    select
        raw_user_experiments.record_number,
        to_bigint(raw_user_experiments.experiment_id) as experiment_id,
        users.user_id,
        raw_user_experiments.experiment_compound_ids,
        to_run_time(raw_user_experiments.experiment_run_time) as experiment_run_time,
        raw_user_experiments.experiment_run_time is not null as has_run_time
    from raw_user_experiments
    left join users
        on to_bigint(raw_user_experiments.user_id) = users.user_id and users.occurrence = 1
) as joined;
analyze experiments;

-- Count

create unlogged table user_compounds as
select
    user_id,
    mode() within group (order by compound_id) as compound_id,
    bool_or(compound_id is null) as has_ignored_entries
from (
    select distinct
        experiments.user_id,
        compounds.compound_id,
        experiments.experiment_id
    from experiments
    cross join lateral string_to_table(experiments.experiment_compound_ids, ';') as list (entry)
    left join compounds
        on
            coalesce(to_bigint(list.entry), to_bigint(btrim(list.entry, E' \t\r\u00a0')))
            = compounds.compound_id
        and compounds.occurrence = 1
    where experiments.experiment_id is not null and experiments.occurrence = 1
) as entries
where user_id is not null
group by user_id;

create table user_summary as
select
    users.user_id,
    users.name,
    users.email,
    users.signup_date,
    coalesce(user_experiments.experiment_count, 0) as experiment_count,
    user_experiments.avg_experiment_run_time,
    compounds.compound_id,
    compounds.compound_name,
    compounds.compound_structure
from users
left join (
    select
        user_id,
        count(*) as experiment_count,
        trim_scale(
            div(
                20000 * sum(experiment_run_time) + count(experiment_run_time),
                nullif(2 * count(experiment_run_time), 0)
            ) * 0.0001
        ) as avg_experiment_run_time
    from experiments
    where experiment_id is not null and occurrence = 1 and user_id is not null
    group by user_id
) as user_experiments on users.user_id = user_experiments.user_id
left join user_compounds on users.user_id = user_compounds.user_id
left join compounds
    on user_compounds.compound_id = compounds.compound_id and compounds.occurrence = 1
where users.user_id is not null and users.occurrence = 1;
alter table user_summary add primary key (user_id);

-- Report

create table data_issues as
with suspects as (
    select
        experiments.experiment_id as experiment_key,
        experiments.user_id as user_key,
        experiments.occurrence,
        experiments.has_run_time and experiments.experiment_run_time is null as has_bad_run_time,
        source.*,
        jsonb_build_object(
            'experiment_id', source.experiment_id,
            'user_id', source.user_id,
            'experiment_compound_ids', source.experiment_compound_ids,
            'experiment_run_time', source.experiment_run_time
        ) as record
    from experiments
    inner join raw_user_experiments as source using (record_number)
    where
        experiments.experiment_id is null
        or experiments.occurrence > 1
        or experiments.user_id is null
        or (experiments.has_run_time and experiments.experiment_run_time is null)
),
kept as (
    select * from suspects
    where experiment_key is not null and occurrence = 1 and user_key is not null
),
bad_entries as (
    select
        experiments.record_number,
        btrim(list.entry, E' \t\r\u00a0') as entry
    from experiments
    cross join lateral string_to_table(experiments.experiment_compound_ids, ';') as list (entry)
    left join compounds
        on
            coalesce(to_bigint(list.entry), to_bigint(btrim(list.entry, E' \t\r\u00a0')))
            = compounds.compound_id
        and compounds.occurrence = 1
    where
        experiments.experiment_id is not null
        and experiments.occurrence = 1
        and experiments.user_id in (select user_id from user_compounds where has_ignored_entries)
        and compounds.compound_id is null
        and btrim(list.entry, E' \t\r\u00a0') <> ''
)
select
    'user_experiments.csv' as source_file,
    record_number,
    case
        when experiment_key is null or occurrence > 1 then 'experiment_id' else 'user_id'
    end as column_name,
    case
        when experiment_key is null or occurrence > 1 then experiment_id else user_id
    end as value,
    case
        when experiment_key is null then problem_of(experiment_id, 'key')
        when occurrence > 1 then 'duplicate key'
        when to_bigint(user_id) is null then problem_of(user_id, 'user')
        else 'unknown user'
    end as problem,
    'record dropped' as action,
    record
from suspects
where experiment_key is null or occurrence > 1 or user_key is null
union all
select
    'user_experiments.csv', record_number, 'experiment_run_time', experiment_run_time,
    case
        when experiment_run_time ~ '^-([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]{1,3})?$'
            then 'negative'
        else 'not a finite number'
    end,
    'value set to null', record
from kept
where has_bad_run_time
union all
select
    'user_experiments.csv', record_number, 'experiment_compound_ids', bad_entries.entry,
    case
        when to_bigint(bad_entries.entry) is null then problem_of(bad_entries.entry, 'entry')
        else 'unknown compound'
    end,
    'entry ignored',
    jsonb_build_object(
        'experiment_id', source.experiment_id,
        'user_id', source.user_id,
        'experiment_compound_ids', source.experiment_compound_ids,
        'experiment_run_time', source.experiment_run_time
    )
from bad_entries
inner join raw_user_experiments as source using (record_number)
union all
select
    'users.csv', users.record_number, issue.column_name, issue.value, issue.problem, issue.action,
    jsonb_build_object(
        'user_id', source.user_id,
        'name', source.name,
        'email', source.email,
        'signup_date', source.signup_date
    )
from users
inner join raw_users as source using (record_number)
cross join lateral (
    select
        'user_id' as column_name, source.user_id as value,
        case
            when users.user_id is null then problem_of(source.user_id, 'key')
            else 'duplicate key'
        end as problem,
        'record dropped' as action
    where users.user_id is null or users.occurrence > 1
    union all
    select 'signup_date', source.signup_date, 'not a calendar date', 'value set to null'
    where
        users.user_id is not null and users.occurrence = 1
        and users.has_signup_date and users.signup_date is null
) as issue
union all
select
    'compounds.csv', compounds.record_number, 'compound_id', source.compound_id,
    case
        when compounds.compound_id is null then problem_of(source.compound_id, 'key')
        else 'duplicate key'
    end,
    'record dropped',
    jsonb_build_object(
        'compound_id', source.compound_id,
        'compound_name', source.compound_name,
        'compound_structure', source.compound_structure
    )
from compounds
inner join raw_compounds as source using (record_number)
where compounds.compound_id is null or compounds.occurrence > 1;
