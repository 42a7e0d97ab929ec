with

users as (

    select * from {{ ref('int_users_validated') }}

    where problem is null

),

compounds as (

    select * from {{ ref('int_compounds_validated') }}

    where problem is null

),

user_experiments as (

    select * from {{ ref('int_user_experiments_counted') }}

),

user_compounds as (

    -- the lowest of the compounds that tie
    select
        user_id,
        min(compound_id) as compound_id

    from {{ ref('int_user_top_compounds') }}

    group by user_id

),

summarized as (

    select
        users.user_id,
        users.name,
        users.email,
        users.signup_date,
        coalesce(user_experiments.experiment_count, 0) as experiment_count,
        user_experiments.avg_experiment_run_time,
        compounds.compound_id,
        compounds.compound_name,
        compounds.compound_structure

    from users

    left join user_experiments on users.user_id = user_experiments.user_id

    left join user_compounds on users.user_id = user_compounds.user_id

    left join compounds on user_compounds.compound_id = compounds.compound_id

)

select * from summarized
