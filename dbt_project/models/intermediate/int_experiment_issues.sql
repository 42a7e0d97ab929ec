{{ config(materialized='ephemeral') }}
-- Ephemeral: a part of data_issues.

with

users_with_ignored_entries as (

    select user_id from {{ ref('int_user_compounds_counted') }}

    where is_ignored

),

compounds as (

    select * from {{ ref('int_compounds_kept') }}

),

-- few, so that what follows costs little however large the file is
suspects as (

    select
        validated.record_number,
        validated.problem,
        validated.is_kept,
        validated.fields_missing,
        validated.has_run_time and validated.experiment_run_time is null as has_bad_run_time,
        raw_records.experiment_id,
        raw_records.user_id,
        raw_records.experiment_compound_ids,
        raw_records.experiment_run_time,
        case
            when raw_records._separator is null
                then raw_records.experiment_run_time
            else replace(raw_records.experiment_run_time, ',', '.')
        end as run_time_with_point,
        {{ record_as_json(
            'raw_records',
            ['experiment_id', 'user_id', 'experiment_compound_ids', 'experiment_run_time']
        ) }} as record

    from {{ ref('int_experiments_validated') }} as validated

    inner join {{ ref('user_experiments') }} as raw_records
        on validated.record_number = raw_records.record_number

    where
        (
            not validated.is_kept
            or validated.fields_missing is not null
            or (validated.has_run_time and validated.experiment_run_time is null)
            or validated.user_id in (
                select users_with_ignored_entries.user_id from users_with_ignored_entries
            )
        )
        and {{ worked_out_once() }}

),

dropped_for_their_key as (

    {{ dropped_for_their_key('suspects', 'experiment_id') }}

),

dropped_for_their_user as (

    select
        record_number,
        'user_id' as column_name,
        user_id as value,
        case
            when {{ text_to_bigint('user_id') }} is null
                then {{ integer_problem('user_id', 'user') }}
            else 'unknown user'
        end as problem,
        'record dropped' as action,
        record

    from suspects

    where problem = 'bad user'

),

nulled_values as (

    select
        record_number,
        'experiment_run_time' as column_name,
        experiment_run_time as value,
        {{ number_problem('experiment_run_time', 'run_time_with_point') }} as problem,
        'value set to null' as action,
        record

    from suspects

    where
        is_kept
        and has_bad_run_time

),

early_ends as (

    {{ early_ends('suspects') }}

),

entries as (

    select
        suspects.record_number,
        {{ trimmed('list_entries.entry') }} as entry,
        suspects.record

    from suspects

    cross join lateral {{ text_list_entries('suspects.experiment_compound_ids') }}

    where suspects.is_kept

),

entries_with_ids as (

    select
        *,
        {{ text_to_bigint('entry') }} as compound_id

    from entries

    where entry <> ''

),

ignored_entries as (

    select
        entries_with_ids.record_number,
        'experiment_compound_ids' as column_name,
        entries_with_ids.entry as value,
        case
            when entries_with_ids.compound_id is null
                then {{ integer_problem('entries_with_ids.entry', 'entry') }}
            else 'unknown compound'
        end as problem,
        'entry ignored' as action,
        entries_with_ids.record

    from entries_with_ids

    left join compounds on entries_with_ids.compound_id = compounds.compound_id

    where compounds.compound_id is null

),

issues as (

    select * from dropped_for_their_key

    union all

    select * from dropped_for_their_user

    union all

    select * from nulled_values

    union all

    select * from early_ends

    union all

    select * from ignored_entries

)

select * from issues
