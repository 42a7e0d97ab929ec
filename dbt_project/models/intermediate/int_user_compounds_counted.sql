{{ config(
    materialized='published',
    meta={'served': false, 'kept_builds': 2},
    indexes=[{'columns': ['compound_id']}],
) }}
-- Of the build: its index finds who has used a compound, which explains it.

with

entries as (

    -- on Spark: all of a user's are sent to one place, and counted there
    select /*+ repartition(user_id) */ * from {{ ref('int_experiments_unnested_to_compounds') }}

),

compounds as (

    select * from {{ ref('int_compounds_kept') }}

),

counted as (

    select
        entries.user_id,
        compounds.compound_id,
        compounds.compound_id is null as is_ignored,
        -- distinct: a compound named twice in one experiment counts once
        count(distinct entries.experiment_id) as experiment_count

    from entries

    -- left: entries that name no kept compound are counted too, for they are to be reported
    left join compounds on entries.compound_id = compounds.compound_id

    group by entries.user_id, compounds.compound_id

)

select * from counted
