with

records as (

    select
        'users.csv' as source_file,
        count(*) as records_read,
        count(*) filter (where is_kept) as records_kept

    from {{ ref('int_users_validated') }}

    union all

    select
        'user_experiments.csv' as source_file,
        count(*) as records_read,
        count(*) filter (where is_kept) as records_kept

    from {{ ref('int_experiments_validated') }}

    union all

    select
        'compounds.csv' as source_file,
        count(*) as records_read,
        count(*) filter (where is_kept) as records_kept

    from {{ ref('int_compounds_validated') }}

),

issues as (

    select
        source_file,
        count(*) filter (where action = 'record dropped') as records_dropped,
        count(*) filter (where action = 'value set to null') as values_nulled,
        count(*) filter (where action = 'entry ignored') as entries_ignored

    from {{ ref('data_issues') }}

    group by source_file

),

summarized as (

    select
        records.source_file,
        records.records_read,
        records.records_kept,
        coalesce(issues.records_dropped, 0) as records_dropped,
        coalesce(issues.values_nulled, 0) as values_nulled,
        coalesce(issues.entries_ignored, 0) as entries_ignored

    from records

    left join issues on records.source_file = issues.source_file

)

select * from summarized
