{{ config(
    materialized='published',
    as_view=true,
    meta={'served': false, 'kept_builds': 2},
) }}
-- Of the build: what it has published is explained by it, also while the next one goes on.
-- A view: 2.5 rows for each experiment, read once.

with

experiments as (

    select * from {{ ref('int_experiments_kept') }}

),

unnested as (

    select
        experiments.experiment_id,
        experiments.user_id,
        {{ entry_to_bigint('list_entries.entry') }} as compound_id

    from experiments

    cross join lateral {{ text_list_entries('experiments.experiment_compound_ids') }}

)

select * from unnested
