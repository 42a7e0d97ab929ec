{{ config(
    materialized='published',
    meta={'served': false, 'kept_builds': 2},
    indexes=[{'columns': ['user_id']}],
) }}
-- Of the build: what it has published is explained by it, also while the next one goes on. The
-- index finds the experiments of a user.

with

experiments as (

    select * from {{ ref('stg_user_experiments') }}

),

users as (

    select * from {{ ref('int_users_kept') }}

),

-- joined before they are numbered: workers in parallel can join, only one process can number
experiments_with_users as (

    select
        experiments.record_number,
        experiments.experiment_id,
        users.user_id,
        experiments.experiment_compound_ids,
        experiments.experiment_run_time,
        experiments.has_run_time,
        experiments.fields_missing

    from experiments

    left join users on experiments.user_id = users.user_id

),

numbered as (

    select
        *,
        row_number() over (partition by experiment_id order by record_number) as occurrence

    from experiments_with_users

),

validated as (

    select
        record_number,
        experiment_id,
        user_id,
        experiment_compound_ids,
        experiment_run_time,
        has_run_time,
        fields_missing,
        case
            when experiment_id is null
                then 'bad key'
            when occurrence > 1
                then 'duplicate key'
            when user_id is null
                then 'bad user'
        end as problem

    from numbered

),

decided as (

    select
        *,
        problem is null as is_kept

    from validated

)

select * from decided
