{{ config(materialized='view') }}
-- A view: the one place that says which records count.

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
