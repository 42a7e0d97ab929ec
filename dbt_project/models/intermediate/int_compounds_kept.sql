{{ config(materialized='view') }}
-- A view: the one place that says which records count.

with

validated as (

    select * from {{ ref('int_compounds_validated') }}

),

kept as (

    select
        record_number,
        compound_id,
        compound_name,
        compound_structure

    from validated

    where is_kept

)

select * from kept
