{#-
  A table on Spark, which is copied to PostgreSQL as a new table of the build. If its contract is enforced, it
  has to hold there. With `as_view` it is a view on both, in the SQL of each.
-#}
{% materialization published, adapter='sparkcopy' %}
  {%- set is_view = config.get('as_view') -%}
  {%- set relation = this.incorporate(type='view' if is_view else 'table') -%}

  {{ run_hooks(pre_hooks) }}

  {% call statement('main') %}
    create {{ 'view' if is_view else 'table' }} {{ relation }} {{ 'using parquet' if not is_view }} as
    {{ sql }}
  {% endcall %}

  {{ run_hooks(post_hooks) }}

  {%- if is_view -%}
    {%- do adapter.create_view(builds_schema(), model, adapter.for_postgres(render, model['raw_code'])) -%}
  {%- else -%}
    {%- set constraints = pgcopy_constraints() if config.get('contract').enforced else [] -%}
    {%- do adapter.copy_out(builds_schema(), relation, model, constraints) -%}
  {%- endif -%}
  {{ return({'relations': [relation]}) }}
{% endmaterialization %}


{% macro sparkcopy__pgcopy_failing_sql(message) %}
  {{ return('select raise_error(' ~ sparkcopy_literal(message) ~ ')') }}
{% endmacro %}


{% macro sparkcopy_literal(text) %}
  {{ return("'" ~ text | replace('\\', '\\\\') | replace("'", "\\'") ~ "'") }}
{% endmacro %}
