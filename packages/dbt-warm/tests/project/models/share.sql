{{ config(materialized='table') }}
select order_id, amount / (amount - {{ var('worst', 0) }}) as share, pg_sleep({{ var('seconds', 0) }})::text as slept
from {{ ref('paid') }}
