{{ config(materialized='table') }}
select sum(amount) as revenue, count(*) as orders from {{ ref('paid') }}
