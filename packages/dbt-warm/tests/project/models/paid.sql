{{ config(materialized='ephemeral') }}
select order_id, amount from {{ ref('orders') }} where amount is not null
