{{ config(materialized='ephemeral') }}
-- Ephemeral: a part of int_data_issues.

with

dropped_records as (

    select
        validated.record_number,
        'compound_id' as column_name,
        raw_records.compound_id as value,
        case
            when validated.problem = 'duplicate key'
                then validated.problem
            else {{ integer_problem('raw_records.compound_id', 'key') }}
        end as problem,
        'record dropped' as action,
        {{ record_as_json('raw_records', ['compound_id', 'compound_name', 'compound_structure']) }}
            as record

    from {{ ref('int_compounds_validated') }} as validated

    inner join {{ ref('compounds') }} as raw_records on validated.record_number = raw_records.record_number

    where not validated.is_kept

)

select * from dropped_records
