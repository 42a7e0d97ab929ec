with

issues as (

    select
        'users.csv' as source_file,
        *

    from {{ ref('int_user_issues') }}

    union all

    select
        'user_experiments.csv' as source_file,
        *

    from {{ ref('int_experiment_issues') }}

    union all

    select
        'compounds.csv' as source_file,
        *

    from {{ ref('int_compound_issues') }}

),

shown as (

    select
        source_file,
        record_number,
        column_name,
        {{ visible('value') }} as value,
        problem,
        action,
        record

    from issues

)

select * from shown
