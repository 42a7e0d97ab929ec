{#- Gathers statistics on a table. -#}
{% macro analyze(relation) -%}
    {%- if model.config.materialized == 'table' -%}
        analyze {{ relation }}
    {%- endif -%}
{%- endmacro %}
