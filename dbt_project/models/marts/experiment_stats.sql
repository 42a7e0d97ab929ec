select
    user_count,
    user_with_experiments_count,
    experiment_count,
    experiment_with_run_time_count,
    compound_count,
    used_compound_count,
    tied_user_count,
    dropped_experiment_count,
    avg_experiments_per_user,
    max_experiments_per_user,
    avg_experiment_run_time,
    min_experiment_run_time,
    max_experiment_run_time

from {{ ref('int_experiment_stats') }}
