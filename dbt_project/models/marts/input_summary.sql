-- Every audited model is upstream of this one, so nothing is published before all audits have passed:
-- depends_on: {{ ref('int_experiment_stats') }}

select
    source_file,
    records_read,
    records_kept,
    records_dropped,
    values_nulled,
    entries_ignored

from {{ ref('int_input_summary') }}
