with

users as (

    select
        count(*) as user_count,
        count(*) filter (where experiment_count > 0) as user_with_experiments_count,
        max(experiment_count) as max_experiments_per_user

    from {{ ref('user_summary') }}

),

experiments as (

    select
        count(*) as experiment_count,
        count(experiment_run_time) as experiment_with_run_time_count,
        {{ without_zeros('min(experiment_run_time)') }} as min_experiment_run_time,
        {{ without_zeros('max(experiment_run_time)') }} as max_experiment_run_time,
        {{ exact_mean('experiment_run_time') }} as avg_experiment_run_time

    from {{ ref('int_experiments_kept') }}

),

compounds as (

    select
        count(*) as compound_count,
        count(*) filter (where experiment_count > 0) as used_compound_count

    from {{ ref('compound_usage') }}

),

ties as (

    select count(*) as tied_user_count

    from (
        select user_id from {{ ref('user_top_compounds') }}

        group by user_id

        having count(*) > 1
    ) as tied_users

),

input_summary as (

    select records_dropped as dropped_experiment_count

    from {{ ref('input_summary') }}

    where source_file = 'user_experiments.csv'

),

stats as (

    select
        users.user_count,
        users.user_with_experiments_count,
        experiments.experiment_count,
        experiments.experiment_with_run_time_count,
        compounds.compound_count,
        compounds.used_compound_count,
        ties.tied_user_count,
        input_summary.dropped_experiment_count,
        {{ exact_ratio('experiments.experiment_count', 'users.user_count') }}
            as avg_experiments_per_user,
        users.max_experiments_per_user,
        experiments.avg_experiment_run_time,
        experiments.min_experiment_run_time,
        experiments.max_experiment_run_time

    from users

    cross join experiments

    cross join compounds

    cross join ties

    cross join input_summary

)

select * from stats
