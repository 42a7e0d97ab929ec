{{ config(materialized='view') }}
-- A view: 2.5 rows for each experiment, read once.

with

experiments as (

    select * from {{ ref('int_experiments_validated') }}

    where problem is null

),

unnested as (

    select
        experiment_id,
        user_id,
        {{ text_list_entries('experiment_compound_ids') }} as entry

    from experiments

),

cast_to_ids as (

    select
        experiment_id,
        user_id,
        -- few entries are padded, so trimming can wait until a cast has failed
        coalesce(
            {{ text_to_bigint('entry') }},
            {{ text_to_bigint(trimmed('entry')) }}
        ) as compound_id

    from unnested

)

select * from cast_to_ids
