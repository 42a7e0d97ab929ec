{{ config(
    materialized='published',
    as_view=true,
    meta={'served': false, 'kept_builds': 2},
) }}
-- Of the build: what it has published is explained by it, also while the next one goes on.
-- A view: the one place that says which records count.

with

validated as (

    select * from {{ ref('int_experiments_validated') }}

),

kept as (

    select
        record_number,
        experiment_id,
        user_id,
        experiment_compound_ids,
        experiment_run_time

    from validated

    where is_kept

)

select * from kept
