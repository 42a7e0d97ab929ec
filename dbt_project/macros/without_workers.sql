{#- For a model's pre_hook: its query takes no parallel workers from a larger one beside it. -#}
{% macro without_workers() -%}
    {{ return(adapter.dispatch('without_workers')()) }}
{%- endmacro %}

{% macro postgres__without_workers() -%}
    set local max_parallel_workers_per_gather = 0
{%- endmacro %}

{% macro spark__without_workers() -%}
{%- endmacro %}
