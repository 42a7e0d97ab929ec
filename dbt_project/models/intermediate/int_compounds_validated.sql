with

compounds as (

    select
        *,
        row_number() over (partition by compound_id order by record_number) as occurrence

    from {{ ref('stg_compounds') }}

),

validated as (

    select
        record_number,
        compound_id,
        compound_name,
        compound_structure,
        fields_missing,
        case
            when compound_id is null
                then 'bad key'
            when occurrence > 1
                then 'duplicate key'
        end as problem

    from compounds

),

decided as (

    select
        *,
        problem is null as is_kept

    from validated

)

select * from decided
