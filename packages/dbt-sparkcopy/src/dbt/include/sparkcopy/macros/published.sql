{#-
  A table or, with `as_view`, a view on Spark. One with an enforced contract is copied to PostgreSQL, as a
  new table of the build, which has to hold the contract there.
-#}
{% materialization published, adapter='sparkcopy' %}
  {%- set relation = this.incorporate(type='view' if config.get('as_view') else 'table') -%}

  {{ run_hooks(pre_hooks) }}

  {% call statement('main') %}
    create {{ relation.type }} {{ relation }} {{ 'using parquet' if relation.is_table }} as
    {{ sql }}
  {% endcall %}

  {{ run_hooks(post_hooks) }}

  {%- if pgcopy_is_published(model) -%}
    {%- do adapter.copy_out(builds_schema(), relation, model, pgcopy_constraints()) -%}
  {%- endif -%}
  {{ return({'relations': [relation]}) }}
{% endmaterialization %}


{#- What explains a mart stays on Spark, and goes with the build. -#}
{% macro sparkcopy__pgcopy_is_published(node) %}
  {{ return(node.config.materialized == 'published' and node.config.contract.enforced) }}
{% endmacro %}


{% macro sparkcopy__pgcopy_failing_sql(message) %}
  {{ return("select raise_error('" ~ message | replace('\\', '\\\\') | replace("'", "\\'") ~ "')") }}
{% endmacro %}
