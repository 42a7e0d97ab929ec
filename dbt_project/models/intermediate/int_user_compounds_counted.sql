{{ config(post_hook='analyze {{ this }}') }}
-- Analyzed: the planner knows nothing of a table this young, and large ones are joined to it next.

with

entries as (

    select * from {{ ref('int_experiments_unnested_to_compounds') }}

),

compounds as (

    select * from {{ ref('int_compounds_validated') }}

    where problem is null

),

counted as (

    select
        entries.user_id,
        compounds.compound_id,
        -- distinct: a compound named twice in one experiment counts once
        count(distinct entries.experiment_id) as experiment_count

    from entries

    -- left: a row without a compound tells that the user's lists have entries to be reported
    left join compounds on entries.compound_id = compounds.compound_id

    group by entries.user_id, compounds.compound_id

)

select * from counted
