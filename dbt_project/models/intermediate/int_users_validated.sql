{{ config(post_hook="{{ analyze_table(this) }}") }}
-- Analyzed: the planner knows nothing of a table this young, and large ones are joined to it next.

with

validated as (

    select
        record_number,
        user_id,
        name,
        email,
        signup_date,
        has_signup_date,
        fields_missing,
        {{ key_problem('user_id') }} as problem

    from {{ ref('stg_users') }}

),

decided as (

    select
        *,
        problem is null as is_kept

    from validated

)

select * from decided
