{#- The share of a file's records that may be dropped before a build stops. -#}
{% macro max_dropped_ratio() -%}
    {{ env_var('ELUTE_MAX_DROPPED_RATIO', '') or 0.2 }}
{%- endmacro %}
