{#- A table over the Parquet file that is made of the CSV file. -#}
{% materialization seed, adapter='sparkcopy' %}
  {%- set seed = adapter.seed_for_copy(model) -%}
  {%- if seed is none -%}
    {%- do exceptions.raise_compiler_error('On Spark every column of a seed needs a type in column_types: ' ~ model['name']) -%}
  {%- endif -%}
  {%- do pgcopy_warn_of_extra_columns(seed) -%}
  {%- set relation = this.incorporate(type='table') -%}

  {{ run_hooks(pre_hooks) }}

  {%- set staged = adapter.stage_seed(relation, seed) -%}
  {%- set create = 'create table ' ~ relation ~ ' using parquet location ' ~ sparkcopy_literal(staged.folder) -%}
  {% call noop_statement('main', 'STAGE ' ~ staged.records, 'STAGE', staged.records) %}
    {{ create }}
  {% endcall %}
  {%- do run_query(create) -%}
  {%- do store_result('agate_table', response='OK', agate_table=none) -%}

  {{ run_hooks(post_hooks) }}

  {{ return({'relations': [relation]}) }}
{% endmaterialization %}
