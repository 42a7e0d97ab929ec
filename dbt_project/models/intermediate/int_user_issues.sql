{{ config(materialized='ephemeral') }}
-- Ephemeral: a part of data_issues.

with

suspects as (

    select
        validated.record_number,
        validated.problem,
        validated.is_kept,
        validated.fields_missing,
        validated.has_signup_date and validated.signup_date is null as has_bad_date,
        raw_records.user_id,
        raw_records.signup_date,
        {{ record_as_json('raw_records', ['user_id', 'name', 'email', 'signup_date']) }} as record

    from {{ ref('int_users_validated') }} as validated

    inner join {{ ref('users') }} as raw_records on validated.record_number = raw_records.record_number

    where
        (
            not validated.is_kept
            or validated.fields_missing is not null
            or (validated.has_signup_date and validated.signup_date is null)
        )
        and {{ worked_out_once() }}

),

dropped_for_their_key as (

    {{ dropped_for_their_key('suspects', 'user_id') }}

),

nulled_values as (

    select
        record_number,
        'signup_date' as column_name,
        signup_date as value,
        {{ date_problem('signup_date') }} as problem,
        'value set to null' as action,
        record

    from suspects

    where
        is_kept
        and has_bad_date

),

early_ends as (

    {{ early_ends('suspects') }}

),

issues as (

    select * from dropped_for_their_key

    union all

    select * from nulled_values

    union all

    select * from early_ends

)

select * from issues
