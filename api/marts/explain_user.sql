-- Everything behind one user's row of user_summary, from the tables of one build.
with

published as (

    select * from {user_summary}

    where user_id = %(user_id)s

),

user_records as (

    select
        'users.csv' as source_file,
        record_number

    from {int_users_validated}

    where user_id = %(user_id)s

    union all

    select
        'user_experiments.csv' as source_file,
        record_number

    from {int_experiments_validated}

    where user_id = %(user_id)s

),

experiments as (

    select
        record_number,
        experiment_id,
        experiment_compound_ids,
        experiment_run_time

    from {int_experiments_kept}

    where user_id = %(user_id)s

),

run_times as (

    select
        count(*) as experiment_count,
        count(experiment_run_time) as run_time_count,
        trim_scale(sum(experiment_run_time)) as run_time_sum

    from experiments

),

-- a compound named twice in one experiment counts once
uses as (

    select distinct
        entries.experiment_id,
        entries.compound_id

    from {int_experiments_unnested_to_compounds} as entries

    inner join {compound_usage} as compounds on entries.compound_id = compounds.compound_id

    where entries.user_id = %(user_id)s

),

counted as (

    select
        compound_id,
        count(*) as experiment_count

    from uses

    group by compound_id

),

compounds as (

    select
        compounds.compound_id,
        compounds.compound_name,
        compounds.compound_structure,
        counted.experiment_count,
        top.compound_id is not null as is_tied_for_most,
        compounds.compound_id is not distinct from published.compound_id as is_most_common

    from counted

    inner join {compound_usage} as compounds on counted.compound_id = compounds.compound_id

    cross join published

    left join {user_top_compounds} as top
        on published.user_id = top.user_id and counted.compound_id = top.compound_id

),

listed_experiments as (

    select
        record_number,
        experiment_id,
        experiment_compound_ids,
        experiment_run_time,
        array(
            select uses.compound_id
            from uses
            where uses.experiment_id = experiments.experiment_id
            order by uses.compound_id
        ) as counted_compound_ids

    from experiments

    order by record_number

    limit %(most)s

),

listed_issues as (

    select * from {data_issues}

    where (source_file, record_number) in (select * from user_records)

    order by source_file, record_number, column_name

    limit %(most)s

)

-- as text: numbers keep all their digits
select
    json_build_object(
        'user', row_to_json(published),
        'is_consistent', run_times.experiment_count = published.experiment_count,
        'note', case when run_times.experiment_count <> published.experiment_count then %(note)s end,
        'experiment_count', json_build_object(
            'value', published.experiment_count,
            'listed', (select count(*) from listed_experiments)
        ),
        'avg_experiment_run_time', json_build_object(
            'value', published.avg_experiment_run_time,
            'sum', run_times.run_time_sum,
            'count', run_times.run_time_count,
            'rule', %(mean_rule)s
        ),
        'compound_id', json_build_object(
            'value', published.compound_id,
            'tied_compound_ids', (
                select coalesce(json_agg(compound_id order by compound_id), '[]')
                from compounds
                where is_tied_for_most
            ),
            'rule', %(tie_rule)s
        ),
        'compounds', (
            select
                coalesce(json_agg(compounds order by experiment_count desc, compound_id), '[]')
            from compounds
        ),
        'experiments', (
            select coalesce(json_agg(listed_experiments order by record_number), '[]')
            from listed_experiments
        ),
        'data_issues', (
            select coalesce(json_agg(listed_issues), '[]')
            from listed_issues
        )
    )::text

from published

cross join run_times
