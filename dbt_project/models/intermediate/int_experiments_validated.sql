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
validated as (

    select
        experiments.record_number,
        experiments.experiment_id,
        users.user_id,
        experiments.experiment_compound_ids,
        experiments.experiment_run_time,
        experiments.has_run_time,
        experiments.fields_missing,
        coalesce(
            {{ key_problem('experiments.experiment_id', 'experiments.record_number') }},
            case when users.user_id is null then 'bad user' end
        ) as problem

    from experiments

    left join users on experiments.user_id = users.user_id

),

decided as (

    select
        *,
        problem is null as is_kept

    from validated

)

select * from decided
