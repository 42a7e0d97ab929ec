{#- The share of a column's values that may be unusable before a build stops. -#}
{% macro max_nulled_ratio() -%}
    {{ env_var('ELUTE_MAX_NULLED_RATIO', '') or 0.5 }}
{%- endmacro %}
