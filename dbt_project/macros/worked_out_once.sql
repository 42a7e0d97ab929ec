{#-
  A condition that always holds, for a CTE that is read more than once. PostgreSQL works such a one
  out once. Spark does so for each reader, unless it could come out otherwise each time.
-#}
{% macro worked_out_once() -%}
    {{ return(adapter.dispatch('worked_out_once')()) }}
{%- endmacro %}

{% macro postgres__worked_out_once() -%}
    true
{%- endmacro %}

{% macro spark__worked_out_once() -%}
    rand() >= 0
{%- endmacro %}
