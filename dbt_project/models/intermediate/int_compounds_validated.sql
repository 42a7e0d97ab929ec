{{ config(post_hook="{{ analyze_table(this) }}") }}
-- Analyzed: PostgreSQL takes it for smaller than it is, and would look each compound up in the large tables.

with

validated as (

    select
        record_number,
        compound_id,
        compound_name,
        compound_structure,
        fields_missing,
        {{ key_problem('compound_id') }} as problem

    from {{ ref('stg_compounds') }}

),

decided as (

    select
        *,
        problem is null as is_kept

    from validated

)

select * from decided
