-- The end of both: the first of the experiments, and of the issues of records that name it.
listed_experiments as (

    select * from experiments

    order by record_number

    limit %(most)s

),

listed_issues as (

    select * from named

    order by source_file, record_number, column_name

    limit %(most)s

),

answer as (

    select
        explained.*,
        case when not explained.is_consistent then %(note)s end as note,
        (select coalesce(json_agg(listed_experiments), '[]') from listed_experiments)
            as experiments,
        (select coalesce(json_agg(listed_issues), '[]') from listed_issues) as data_issues

    from explained

)

-- as text: numbers keep all their digits
select row_to_json(answer)::text from answer
