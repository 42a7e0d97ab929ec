{#- How the rows of a table lie: sorted, so that those that are read together lie together. -#}
{% macro sorted_by(columns) -%}
    {{ return(adapter.dispatch('sorted_by')(columns)) }}
{%- endmacro %}

{% macro postgres__sorted_by(columns) -%}
    order by {{ columns }}
{%- endmacro %}

{#- Each part of the table for itself: for one order of all, Spark would make every row twice. -#}
{% macro spark__sorted_by(columns) -%}
    sort by {{ columns }}
{%- endmacro %}
