{{ config(materialized='published', meta={'served': false, 'kept_builds': 1}) }}
-- Of the build: what it has published is explained by it, also while the next one goes on.

with

users as (

    select
        *,
        row_number() over (partition by user_id order by record_number) as occurrence

    from {{ ref('stg_users') }}

),

validated as (

    select
        record_number,
        user_id,
        name,
        email,
        signup_date,
        has_signup_date,
        fields_missing,
        case
            when user_id is null
                then 'bad key'
            when occurrence > 1
                then 'duplicate key'
        end as problem

    from users

),

decided as (

    select
        *,
        problem is null as is_kept

    from validated

)

select * from decided
