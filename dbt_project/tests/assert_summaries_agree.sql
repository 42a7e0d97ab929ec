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

    {% for things, column, one, other in [
        ('users', 'user_count', 'kept_records', 'user_summary'),
        ('experiments by user', 'experiment_count', 'kept_records', 'user_summary'),
        ('experiments in all', 'experiment_count', 'kept_records', 'stats'),
        ('compounds', 'compound_count', 'kept_records', 'compound_usage'),
        ('users with a most common compound', 'user_with_compound_count', 'user_top_compounds', 'user_summary'),
        ('uses of compounds', 'entry_count', 'user_compounds', 'compound_usage'),
    ] %}
        select
            '{{ things }}' as things,
            {{ one }}.{{ column }} as expected,
            {{ other }}.{{ column }} as found

        from {{ one }}

        cross join {{ other }}
        {{ 'union all' if not loop.last }}
    {% endfor %}

)

select
    things,
    expected,
    found,
    'Two ways to count ' || things || ' give ' || expected || ' and ' || found || '.' as message

from comparisons

where expected is distinct from found
