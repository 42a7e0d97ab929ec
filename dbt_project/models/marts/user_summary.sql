-- Every audited model is upstream of this one, so nothing is published before all audits have passed:
-- depends_on: {{ ref('int_experiment_stats') }}

select
    user_id,
    name,
    email,
    signup_date,
    experiment_count,
    avg_experiment_run_time,
    compound_id,
    compound_name,
    compound_structure

from {{ ref('int_user_summary') }}

-- as they are read: so a page of users is on one page of the table, or two
order by user_id
