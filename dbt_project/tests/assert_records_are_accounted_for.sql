-- A row is a file in which records were lost or counted twice: what was read is not what lies in
-- raw, or not what was kept and dropped.

with

input_summary as (

    select * from {{ ref('input_summary') }}

),

raw_records as (

    {% for seed in ['users', 'user_experiments', 'compounds'] %}
        select
            '{{ seed }}.csv' as source_file,
            count(*) as record_count

        from {{ ref(seed) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}

)

select
    raw_records.source_file,
    raw_records.record_count,
    input_summary.records_read,
    input_summary.records_kept,
    input_summary.records_dropped,
    raw_records.source_file || ': ' || raw_records.record_count || ' records were loaded, but '
    || coalesce(input_summary.records_kept, 0) || ' kept and '
    || coalesce(input_summary.records_dropped, 0) || ' dropped.' as message

from raw_records

left join input_summary on raw_records.source_file = input_summary.source_file

where
    raw_records.record_count <> coalesce(input_summary.records_read, 0)
    or input_summary.records_read <> input_summary.records_kept + input_summary.records_dropped
