-- Everything behind one user's row of user_summary, in one statement and so from one moment: what
-- the last build has counted, and the row as it is published.
with

published as (

    select * from marts.user_summary

    where user_id = %(user_id)s

),

experiments as (

    select
        record_number,
        experiment_id,
        experiment_compound_ids,
        experiment_run_time

    from intermediate.int_experiments_kept

    where user_id = %(user_id)s

),

-- one row, also for a user without experiments
run_times as (

    select
        coalesce(max(experiment_count), 0) as experiment_count,
        coalesce(max(run_time_count), 0) as run_time_count,
        max(run_time_sum) as run_time_sum,
        max(avg_experiment_run_time) as mean

    from intermediate.int_user_run_times

    where user_id = %(user_id)s

),

compounds as (

    select
        kept.compound_id,
        kept.compound_name,
        kept.compound_structure,
        counted.experiment_count,
        top.compound_id is not null as is_tied_for_most,
        kept.compound_id is not distinct from published.compound_id as is_most_common,
        counted.experiment_count = max(counted.experiment_count) over () as has_most

    from intermediate.int_user_compounds_counted as counted

    inner join intermediate.int_compounds_kept as kept on counted.compound_id = kept.compound_id

    inner join published on counted.user_id = published.user_id

    left join marts.user_top_compounds as top
        on counted.user_id = top.user_id and counted.compound_id = top.compound_id

    where counted.user_id = %(user_id)s

),

-- a compound named twice in one experiment counts once
uses as (

    select distinct
        entries.experiment_id,
        entries.compound_id

    from intermediate.int_experiments_unnested_to_compounds as entries

    inner join compounds on entries.compound_id = compounds.compound_id

    where entries.user_id = %(user_id)s

),

listed_experiments as (

    select
        experiments.*,
        coalesce(
            (
                select json_agg(uses.compound_id order by uses.compound_id)
                from uses
                where uses.experiment_id = experiments.experiment_id
            ),
            '[]'
        ) as counted_compound_ids

    from experiments

    order by record_number

    limit %(most)s

),

listed_issues as (

    select *

    from marts.data_issues

    -- the record as it was read: a sign or zeros may stand before the number
    where
        source_file in ('users.csv', 'user_experiments.csv')
        and record ->> 'user_id' ~ '^[+-]?0*[0-9]{1,19}$'
        and (record ->> 'user_id')::numeric = %(user_id)s

    order by source_file, record_number, column_name

    limit %(most)s

),

-- a build makes its tables before it publishes, so whatever is younger is of a later one
later_tables as (

    select count(*) as table_count

    from pg_class

    where
        oid in (
            'intermediate.int_users_validated'::regclass,
            'intermediate.int_experiments_validated'::regclass,
            'intermediate.int_compounds_validated'::regclass
        )
        and oid > (
            select format('builds.%%I', tables -> 'user_summary' ->> 'table')::regclass
            from builds.publications
            order by build desc
            limit 1
        )

),

checked as (

    select
        later_tables.table_count = 0
        and run_times.experiment_count = published.experiment_count
        and run_times.mean is not distinct from published.avg_experiment_run_time
        and not exists (select from compounds where is_tied_for_most <> has_most) as is_consistent

    from published

    cross join run_times

    cross join later_tables

)

-- as text: numbers keep all their digits
select
    json_build_object(
        'user', row_to_json(published),
        'is_consistent', checked.is_consistent,
        'note', case when not checked.is_consistent then %(note)s end,
        'experiment_count', json_build_object(
            'value', run_times.experiment_count,
            'listed', (select count(*) from listed_experiments)
        ),
        'avg_experiment_run_time', json_build_object(
            'value', run_times.mean,
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
                coalesce(
                    json_agg(
                        to_jsonb(compounds) - 'has_most' order by experiment_count desc, compound_id
                    ),
                    '[]'
                )
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

cross join checked
