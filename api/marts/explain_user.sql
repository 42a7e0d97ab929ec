-- Everything behind one user's row of user_summary, from the tables of one build.
with

published as (

    select * from {user_summary}

    where user_id = %(id)s

),

-- a compound named twice in one experiment counts once
uses as (

    select distinct
        entries.experiment_id,
        entries.compound_id

    from {int_experiments_unnested_to_compounds} as entries

    inner join {compound_usage} as compounds on entries.compound_id = compounds.compound_id

    where entries.user_id = %(id)s

),

uses_of_experiments as (

    select
        experiment_id,
        array_agg(compound_id order by compound_id) as compound_ids

    from uses

    group by experiment_id

),

experiments as (

    select
        kept.record_number,
        kept.experiment_id,
        kept.experiment_compound_ids,
        kept.experiment_run_time,
        coalesce(uses_of_experiments.compound_ids, '{{}}') as counted_compound_ids

    from {int_experiments_kept} as kept

    left join uses_of_experiments on kept.experiment_id = uses_of_experiments.experiment_id

    where kept.user_id = %(id)s

),

run_times as (

    select
        count(*) as experiment_count,
        count(experiment_run_time) as run_time_count,
        trim_scale(sum(experiment_run_time)) as run_time_sum

    from experiments

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

explained as (

    select
        row_to_json(published) as user,
        run_times.experiment_count = published.experiment_count as is_consistent,
        json_build_object(
            'value', published.experiment_count,
            'listed', least(run_times.experiment_count, %(most)s)
        ) as experiment_count,
        json_build_object(
            'value', published.avg_experiment_run_time,
            'sum', run_times.run_time_sum,
            'count', run_times.run_time_count,
            'rule', %(mean_rule)s
        ) as avg_experiment_run_time,
        json_build_object(
            'value', published.compound_id,
            'tied_compound_ids', (
                select coalesce(json_agg(compound_id order by compound_id), '[]')
                from compounds
                where is_tied_for_most
            ),
            'rule', %(tie_rule)s
        ) as compound_id,
        (
            select
                coalesce(json_agg(compounds order by experiment_count desc, compound_id), '[]')
            from compounds
        ) as compounds

    from published

    cross join run_times

),

named as (

    select * from {data_issues}

    where
        source_file in ('users.csv', 'user_experiments.csv')
        and record ->> 'user_id' ~ %(named)s

),
