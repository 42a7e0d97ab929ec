{{ config(post_hook='analyze {{ this }}') }}
-- Analyzed: the planner knows nothing of a table this young, and large ones are joined to it next.

with

user_compounds as (

    select * from {{ ref('int_user_compounds_counted') }}

    where compound_id is not null

),

compounds as (

    select * from {{ ref('int_compounds_validated') }}

    where problem is null

),

most_experiments as (

    select
        user_id,
        max(experiment_count) as experiment_count

    from {{ ref('int_user_compounds_counted') }}

    where compound_id is not null

    group by user_id

),

ties as (

    select
        user_compounds.user_id,
        user_compounds.compound_id,
        compounds.compound_name,
        user_compounds.experiment_count

    from user_compounds

    inner join most_experiments
        on
            user_compounds.user_id = most_experiments.user_id
            and user_compounds.experiment_count = most_experiments.experiment_count

    inner join compounds on user_compounds.compound_id = compounds.compound_id

)

select * from ties
