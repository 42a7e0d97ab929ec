{{ config(post_hook="{{ analyze_table(this) }}") }}
-- Analyzed: the planner knows nothing of a table this young, and large ones are joined to it next.

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
