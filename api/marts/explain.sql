-- Everything behind one user's row of user_summary, in one statement and so from one moment:
-- counted anew from the experiments that the last build kept, and the row as it is published.
with

experiments as (

    select
        record_number,
        experiment_id,
        experiment_compound_ids,
        experiment_run_time

    from intermediate.int_experiments_kept

    where user_id = %(user_id)s

),

compounds as (

    select compound_id, compound_name, compound_structure

    from intermediate.int_compounds_kept

),

-- a compound named twice in one experiment counts once
uses as (

    select distinct
        entries.experiment_id,
        compounds.compound_id,
        compounds.compound_name,
        compounds.compound_structure

    from intermediate.int_experiments_unnested_to_compounds as entries

    inner join compounds on entries.compound_id = compounds.compound_id

    where entries.user_id = %(user_id)s

),

counts as (

    select
        compound_id,
        compound_name,
        compound_structure,
        count(*) as experiment_count,
        rank() over (order by count(*) desc) = 1 as is_tied_for_most,
        row_number() over (order by count(*) desc, compound_id) = 1 as is_most_common

    from uses

    group by compound_id, compound_name, compound_structure

),

totals as (

    select
        count(*) as experiment_count,
        count(experiment_run_time) as run_time_count,
        trim_scale(sum(experiment_run_time::numeric)) as run_time_sum,
        trim_scale(
            div(
                20000 * sum(experiment_run_time::numeric) + count(experiment_run_time),
                nullif(2 * count(experiment_run_time), 0)
            ) * 0.0001
        ) as mean

    from experiments

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
        and record ->> 'user_id' ~ %(spellings)s

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
        and totals.experiment_count = user_summary.experiment_count
        and totals.mean is not distinct from user_summary.avg_experiment_run_time
        and (select compound_id from counts where is_most_common)
        is not distinct from user_summary.compound_id as is_consistent

    from marts.user_summary as user_summary

    cross join totals

    cross join later_tables

    where user_summary.user_id = %(user_id)s

)

-- as text: numbers keep all their digits
select
    json_build_object(
        'user', row_to_json(user_summary),
        'is_consistent', checked.is_consistent,
        'note', case when not checked.is_consistent then %(note)s end,
        'experiment_count', json_build_object(
            'value', totals.experiment_count,
            'listed', (select count(*) from listed_experiments)
        ),
        'avg_experiment_run_time', json_build_object(
            'value', totals.mean,
            'sum', totals.run_time_sum,
            'count', totals.run_time_count,
            'rule', %(mean_rule)s
        ),
        'compound_id', json_build_object(
            'value', (select compound_id from counts where is_most_common),
            'tied_compound_ids', (
                select coalesce(json_agg(compound_id order by compound_id), '[]')
                from counts
                where is_tied_for_most
            ),
            'rule', %(tie_rule)s
        ),
        'compounds', (
            select coalesce(json_agg(counts order by experiment_count desc, compound_id), '[]')
            from counts
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

from marts.user_summary as user_summary

cross join totals

cross join checked

where user_summary.user_id = %(user_id)s
