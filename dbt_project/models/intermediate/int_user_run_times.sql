{{ config(pre_hook="{{ without_workers() }}", post_hook="{{ analyze_table(this) }}") }}
-- A table, summed by one process beside int_user_compounds_counted, which keeps the parallel workers.

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
