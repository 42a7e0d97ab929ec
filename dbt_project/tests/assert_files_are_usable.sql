-- A row is a file of which nothing, or too little, can be used. Nothing is published then.
-- compiled with {{ tojson(build_options()) }}

with

input_summary as (

    select * from {{ ref('input_summary') }}

),

dropped_records as (

    select * from {{ ref('data_issues') }}

    where action = 'record dropped'

),

problems as (

    select
        source_file,
        problem,
        count(*) as record_count

    from dropped_records

    group by source_file, problem

),

commonest_problems as (

    select *

    from (
        select
            *,
            row_number() over (partition by source_file order by record_count desc, problem asc) as place

        from problems
    ) as ranked

    where place = 1

),

unusable_files as (

    select
        input_summary.source_file,
        input_summary.records_read,
        input_summary.records_kept,
        input_summary.records_dropped,
        case
            when input_summary.records_read = 0
                then input_summary.source_file || ' has no records: nothing stands below its header.'
            when input_summary.records_kept = 0
                then
                    input_summary.source_file || ' has no usable record: all '
                    || input_summary.records_read || ' were dropped.'
            else
                input_summary.source_file || ': ' || input_summary.records_dropped || ' of '
                || input_summary.records_read || ' records were dropped ('
                || round(100.0 * input_summary.records_dropped / input_summary.records_read, 1)
                || ' %), more than the '
                || {{ without_zeros('100 * ' ~ max_dropped_ratio()) }} || ' % allowed.'
        end as finding,
        coalesce(
            ' The commonest reason: ' || commonest_problems.problem || ' ('
            || commonest_problems.record_count || ' of them).',
            ''
        ) as reason,
        case
            when input_summary.records_kept = 0
                then ' Mend the file and build again.'
            else
                ' Mend the file, or set ELUTE_MAX_DROPPED_RATIO to '
                || {{ ratio_that_allows('input_summary.records_dropped', 'input_summary.records_read') }}
                || ' to build without these records.'
        end as remedy

    from input_summary

    left join commonest_problems on input_summary.source_file = commonest_problems.source_file

    where
        input_summary.records_kept = 0
        or input_summary.records_dropped
        > input_summary.records_read * {{ max_dropped_ratio() }}

)

select
    source_file,
    records_read,
    records_kept,
    records_dropped,
    finding || reason || remedy || ' What was published before stays.' as message

from unusable_files
