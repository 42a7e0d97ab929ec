with

users as (

    select * from {{ ref('int_users_kept') }}

),

compounds as (

    select * from {{ ref('int_compounds_kept') }}

),

user_run_times as (

    select * from {{ ref('int_user_run_times') }}

),

user_compounds as (

    -- the lowest of the compounds that tie
    select
        user_id,
        min(compound_id) as compound_id

    from {{ ref('user_top_compounds') }}

    group by user_id

),

summarized as (

    select
        users.user_id,
        users.name,
        users.email,
        users.signup_date,
        coalesce(user_run_times.experiment_count, 0) as experiment_count,
        user_run_times.avg_experiment_run_time,
        compounds.compound_id,
        compounds.compound_name,
        compounds.compound_structure

    from users

    left join user_run_times on users.user_id = user_run_times.user_id

    left join user_compounds on users.user_id = user_compounds.user_id

    left join compounds on user_compounds.compound_id = compounds.compound_id

)

select * from summarized

-- as they are read: so a page of users is on one page of the table, or two
{{ sorted_by('user_id') }}
