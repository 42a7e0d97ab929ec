{#-
  A table on Spark, which is copied to PostgreSQL as a new table of the build. If its contract is enforced, it
  has to hold there. With `as_view` too: a view in PostgreSQL would need SQL of PostgreSQL's.
-#}
{% materialization published, adapter='sparkcopy' %}
  {%- set relation = this.incorporate(type='table') -%}

  {{ run_hooks(pre_hooks) }}

  {% call statement('main') %}
    create table {{ relation }} using parquet as
    {{ sql }}
  {% endcall %}

  {{ run_hooks(post_hooks) }}

  {%- set constraints = pgcopy_constraints() if config.get('contract').enforced else [] -%}
  {%- do adapter.copy_out(builds_schema(), relation, model, constraints) -%}
  {{ return({'relations': [relation]}) }}
{% endmaterialization %}


{% macro sparkcopy__pgcopy_failing_sql(message) %}
  {{ return("select raise_error('" ~ message | replace('\\', '\\\\') | replace("'", "\\'") ~ "')") }}
{% endmacro %}
