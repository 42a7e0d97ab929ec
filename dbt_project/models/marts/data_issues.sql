-- Every audited model is upstream of this one, so nothing is published before all audits have passed:
-- depends_on: {{ ref('int_experiment_stats') }}

select
    source_file,
    record_number,
    column_name,
    value,
    problem,
    action,
    record

from {{ ref('int_data_issues') }}
