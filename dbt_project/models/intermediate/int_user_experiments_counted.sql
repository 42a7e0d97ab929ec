{{ config(post_hook='analyze {{ this }}') }}
-- Analyzed: the planner knows nothing of a table this young, and large ones are joined to it next.

with

experiments as (

    select * from {{ ref('int_experiments_validated') }}

    where problem is null

),

counted as (

    select
        user_id,
        count(*) as experiment_count,
        {{ exact_mean('experiment_run_time') }} as avg_experiment_run_time

    from experiments

    group by user_id

)

select * from counted
