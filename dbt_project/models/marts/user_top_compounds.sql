-- Every audited model is upstream of this one, so nothing is published before all audits have passed:
-- depends_on: {{ ref('int_experiment_stats') }}

select
    user_id,
    compound_id,
    compound_name,
    experiment_count

from {{ ref('int_user_top_compounds') }}

-- as they are read
order by user_id, compound_id
