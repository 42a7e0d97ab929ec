-- Everything behind one compound's row of compound_usage, from the tables of one build.
with

published as (

    select * from {compound_usage}

    where compound_id = %(compound_id)s

),

-- a compound named twice in one experiment counts once
uses as (

    select distinct experiment_id

    from {int_experiments_unnested_to_compounds}

    where compound_id = %(compound_id)s

),

experiments as (

    select
        kept.record_number,
        kept.experiment_id,
        kept.user_id,
        kept.experiment_run_time

    from {int_experiments_kept} as kept

    inner join uses on kept.experiment_id = uses.experiment_id

),

run_times as (

    select
        count(*) as experiment_count,
        count(experiment_run_time) as run_time_count,
        trim_scale(round(avg(experiment_run_time), 4)) as mean,
        trim_scale(min(experiment_run_time)) as least,
        trim_scale(max(experiment_run_time)) as most

    from experiments

),

users as (

    select
        users.user_id,
        users.name,
        count(*) as experiment_count,
        users.compound_id is not distinct from %(compound_id)s as is_most_common

    from experiments

    inner join {user_summary} as users on experiments.user_id = users.user_id

    group by users.user_id, users.name, users.compound_id

),

listed_users as (

    select * from users

    order by experiment_count desc, user_id

    limit %(most)s

),

listed_experiments as (

    select * from experiments

    order by record_number

    limit %(most)s

),

listed_issues as (

    select * from {data_issues}

    where
        (source_file = 'compounds.csv' and record ->> 'compound_id' ~ %(named)s)
        or (
            source_file = 'user_experiments.csv'
            and record ->> 'experiment_compound_ids' ~ %(named)s
        )

    order by source_file, record_number, column_name

    limit %(most)s

)

-- as text: numbers keep all their digits
select
    json_build_object(
        'compound', row_to_json(published),
        'is_consistent', run_times.experiment_count = published.experiment_count,
        'note', case when run_times.experiment_count <> published.experiment_count then %(note)s end,
        'run_time', json_build_object(
            'count', run_times.run_time_count,
            'mean', run_times.mean,
            'min', run_times.least,
            'max', run_times.most,
            'rule', 'The mean of the run times that are known, to 4 decimals.'
        ),
        'users', (
            select
                coalesce(json_agg(listed_users order by experiment_count desc, user_id), '[]')
            from listed_users
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
