-- Everything behind one compound's row of compound_usage, from the tables of one build.
with

published as (

    select * from {compound_usage}

    where compound_id = %(id)s

),

counted as (

    select
        user_id,
        experiment_count

    from {int_user_compounds_counted}

    where compound_id = %(id)s

),

-- lateral: an index finds the experiments of each user, in the place of reading all lists;
-- distinct: a compound named twice in one experiment counts once
experiments as (

    select uses.*

    from counted

    cross join lateral (
        select distinct
            kept.record_number,
            kept.experiment_id,
            kept.user_id,
            kept.experiment_run_time

        from {int_experiments_kept} as kept

        inner join {int_experiments_unnested_to_compounds} as entries
            on kept.user_id = entries.user_id and kept.experiment_id = entries.experiment_id

        where entries.user_id = counted.user_id and entries.compound_id = %(id)s
    ) as uses

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

listed_users as (

    select
        users.user_id,
        users.name,
        counted.experiment_count,
        users.compound_id is not distinct from %(id)s as is_most_common

    from counted

    inner join {user_summary} as users on counted.user_id = users.user_id

    order by counted.experiment_count desc, users.user_id

    limit %(most)s

),

explained as (

    select
        row_to_json(published) as compound,
        run_times.experiment_count = published.experiment_count as is_consistent,
        json_build_object(
            'count', run_times.run_time_count,
            'mean', run_times.mean,
            'min', run_times.least,
            'max', run_times.most,
            'rule', 'The mean of the run times that are known, to 4 decimals.'
        ) as run_time,
        (select coalesce(json_agg(listed_users), '[]') from listed_users) as users

    from published

    cross join run_times

),

named as (

    select * from {data_issues}

    where
        (source_file = 'compounds.csv' and record ->> 'compound_id' ~ %(named)s)
        or (
            source_file = 'user_experiments.csv'
            and record ->> 'experiment_compound_ids' ~ %(named)s
        )

),
