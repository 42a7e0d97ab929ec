{{ config(materialized='published', as_view=true, meta={'served': false, 'kept_builds': 1}) }}
-- Of the build, as what it reads is.

with

validated as (

    select * from {{ ref('int_users_validated') }}

),

kept as (

    select
        record_number,
        user_id,
        name,
        email,
        signup_date

    from validated

    where is_kept

)

select * from kept
