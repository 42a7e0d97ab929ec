{{ config(
    materialized='published',
    as_view=true,
    meta={'served': false, 'kept_builds': 2},
) }}
-- Of the build, as what it reads is.

with

experiments as (

    select * from {{ ref('int_experiments_kept') }}

),

summed as (

    select
        user_id,
        count(*) as experiment_count,
        {{ exact_mean('experiment_run_time') }} as avg_experiment_run_time

    from experiments

    group by user_id

)

select * from summed
