{#- Statistics of a table that was just made, for the planner. -#}
{% macro analyze_table(relation) -%}
    {{ return(adapter.dispatch('analyze_table')(relation)) }}
{%- endmacro %}

{% macro postgres__analyze_table(relation) -%}
    analyze {{ relation }}
{%- endmacro %}

{#- Spark plans with what it sees while it runs. -#}
{% macro spark__analyze_table(relation) -%}
{%- endmacro %}
