with

compounds as (

    select * from {{ ref('int_compounds_kept') }}

),

user_compounds as (

    select * from {{ ref('int_user_compounds_counted') }}

),

counted as (

    select
        compound_id,
        cast(sum(experiment_count) as bigint) as experiment_count,
        count(*) as user_count

    from user_compounds

    where not is_ignored

    group by compound_id

),

usage as (

    select
        compounds.compound_id,
        compounds.compound_name,
        compounds.compound_structure,
        coalesce(counted.experiment_count, 0) as experiment_count,
        coalesce(counted.user_count, 0) as user_count

    from compounds

    left join counted on compounds.compound_id = counted.compound_id

)

select * from usage
