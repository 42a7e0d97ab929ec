-- A row is a number that two summaries count in different ways and do not agree on.

with

stats as (

    select * from {{ ref('experiment_stats') }}

),

kept_records as (

    select
        coalesce(max(records_kept) filter (where source_file = 'users.csv'), 0) as user_count,
        coalesce(max(records_kept) filter (where source_file = 'user_experiments.csv'), 0)
            as experiment_count,
        coalesce(max(records_kept) filter (where source_file = 'compounds.csv'), 0) as compound_count

    from {{ ref('input_summary') }}

),

user_summary as (

    select
        count(*) as user_count,
        coalesce(sum(experiment_count), 0) as experiment_count,
        count(compound_id) as user_with_compound_count

    from {{ ref('user_summary') }}

),

user_top_compounds as (

    select count(distinct user_id) as user_with_compound_count

    from {{ ref('user_top_compounds') }}

),

compound_usage as (

    select
        count(*) as compound_count,
        coalesce(sum(experiment_count), 0) as entry_count

    from {{ ref('compound_usage') }}

),

user_compounds as (

    select coalesce(sum(experiment_count), 0) as entry_count

    from {{ ref('int_user_compounds_counted') }}

    where not is_ignored

),

comparisons as (

    select
        'users' as things,
        kept_records.user_count as expected,
        user_summary.user_count as found

    from kept_records

    cross join user_summary

    union all

    select
        'experiments by user' as things,
        kept_records.experiment_count as expected,
        user_summary.experiment_count as found

    from kept_records

    cross join user_summary

    union all

    select
        'experiments in all' as things,
        kept_records.experiment_count as expected,
        stats.experiment_count as found

    from kept_records

    cross join stats

    union all

    select
        'compounds' as things,
        kept_records.compound_count as expected,
        compound_usage.compound_count as found

    from kept_records

    cross join compound_usage

    union all

    select
        'users with a most common compound' as things,
        user_top_compounds.user_with_compound_count as expected,
        user_summary.user_with_compound_count as found

    from user_top_compounds

    cross join user_summary

    union all

    select
        'uses of compounds' as things,
        user_compounds.entry_count as expected,
        compound_usage.entry_count as found

    from user_compounds

    cross join compound_usage

)

select
    things,
    expected,
    found,
    'Two ways to count ' || things || ' give ' || expected || ' and ' || found || '.' as message

from comparisons

where expected is distinct from found
