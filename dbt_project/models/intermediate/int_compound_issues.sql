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

dropped_records as (

    select
        record_number,
        'compound_id' as column_name,
        compound_id as value,
        case
            when problem = 'duplicate key'
                then problem
            else {{ integer_problem('compound_id', 'key') }}
        end as problem,
        'record dropped' as action,
        record

    from suspects

    where not is_kept

),

early_ends as (

    {{ early_ends('suspects') }}

),

issues as (

    select * from dropped_records

    union all

    select * from early_ends

)

select * from issues
