{{ config(materialized='view') }}
-- A view: read once by a build, and for one user by the explanation of that user's mean.

with

experiments as (

    select * from {{ ref('int_experiments_kept') }}

),

summed as (

    select
        user_id,
        count(*) as experiment_count,
        count(experiment_run_time) as run_time_count,
        trim_scale(sum(experiment_run_time)::numeric) as run_time_sum,
        {{ exact_mean('experiment_run_time') }} as avg_experiment_run_time

    from experiments

    group by user_id

)

select * from summed
