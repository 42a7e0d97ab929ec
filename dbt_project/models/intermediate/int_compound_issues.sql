{{ config(materialized='ephemeral') }}
-- Ephemeral: a part of data_issues.

with

suspects as (

    select
        validated.record_number,
        validated.problem,
        validated.is_kept,
        validated.fields_missing,
        raw_records.compound_id,
        {{ record_as_json('raw_records', ['compound_id', 'compound_name', 'compound_structure']) }}
            as record

    from {{ ref('int_compounds_validated') }} as validated

    inner join {{ ref('compounds') }} as raw_records on validated.record_number = raw_records.record_number

    where
        not validated.is_kept
        or validated.fields_missing is not null

),

dropped_for_their_key as (

    {{ dropped_for_their_key('suspects', 'compound_id') }}

),

early_ends as (

    {{ early_ends('suspects') }}

),

issues as (

    select * from dropped_for_their_key

    union all

    select * from early_ends

)

select * from issues
