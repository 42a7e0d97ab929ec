-- A row is a column of which too little can be used. Nothing is published then.

with

issues as (

    select * from {{ ref('data_issues') }}

    where
        action in ('value set to null', 'entry ignored')
        and problem <> 'fields missing at its end'

),

problems as (

    select
        source_file,
        column_name,
        problem,
        count(*) as value_count,
        min(value) as example

    from issues

    group by source_file, column_name, problem

),

ranked_problems as (

    select
        *,
        row_number() over (
            partition by source_file, column_name order by value_count desc, problem asc
        ) as place

    from problems

),

unusable_values as (

    select
        source_file,
        column_name,
        sum(value_count) as unusable_count,
        max(problem) filter (where place = 1) as commonest_problem,
        max(example) filter (where place = 1) as example,
        max(value_count) as commonest_count

    from ranked_problems

    group by source_file, column_name

),

dates as (

    select count(*) as value_count from {{ ref('int_users_validated') }}

    where is_kept and has_signup_date

),

run_times as (

    select count(*) as value_count from {{ ref('int_experiments_validated') }}

    where is_kept and has_run_time

),

-- a compound named twice in one experiment counts once
used_entries as (

    select coalesce(sum(experiment_count), 0) as value_count from {{ ref('compound_usage') }}

),

-- what does not stand here is not counted: most files have nothing to compare
compared as (

    select
        *,
        case column_name
            when 'signup_date'
                then (select dates.value_count from dates)
            when 'experiment_run_time'
                then (select run_times.value_count from run_times)
            when 'experiment_compound_ids'
                then unusable_count + (select used_entries.value_count from used_entries)
        end as value_count

    from unusable_values

),

unusable_columns as (

    select
        *,
        case column_name
            when 'experiment_compound_ids'
                then 'entries'
            else 'values'
        end as things,
        case
            when commonest_problem like '%another format'
                then
                    'Set ELUTE_DATE_FORMAT to how the dates are written, such as DD/MM/YYYY'
            when commonest_problem like '%decimal comma'
                then
                    'Save the file with a decimal point, or with semicolons between the columns'
            else 'Mend the file'
        end as way_out

    from compared

    where unusable_count > value_count * {{ max_nulled_ratio() }}

)

select
    source_file,
    column_name,
    unusable_count,
    value_count,
    source_file || ': ' || unusable_count || ' of ' || value_count || ' ' || things || ' of ' || column_name
    || ' could not be used (' || round(100.0 * unusable_count / value_count, 1) || ' %), more than the '
    || {{ without_zeros('100 * ' ~ max_nulled_ratio()) }} || ' % allowed. The commonest reason: '
    || commonest_problem || ' (' || commonest_count || ' of them), such as “' || left(example, 40) || '”. '
    || way_out || ', or set ELUTE_MAX_NULLED_RATIO to '
    || {{ ratio_that_allows('unusable_count', 'value_count') }}
    || ' to build without these ' || things || '. What was published before stays.' as message

from unusable_columns
