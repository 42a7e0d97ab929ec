-- Every audited model is upstream of this one, so nothing is published before all audits have passed:
-- depends_on: {{ ref('int_experiment_stats') }}

select
    compound_id,
    compound_name,
    compound_structure,
    experiment_count,
    user_count

from {{ ref('int_compound_usage') }}
