with

user_compounds as (

    select * from {{ ref('int_user_compounds_counted') }}

    where not is_ignored

),

compounds as (

    select * from {{ ref('int_compounds_kept') }}

),

most_experiments as (

    select
        user_id,
        max(experiment_count) as experiment_count

    -- read again: PostgreSQL would write out a CTE that is read twice
    from {{ ref('int_user_compounds_counted') }}

    where not is_ignored

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

-- as they are read
{{ sorted_by('user_id, compound_id') }}
