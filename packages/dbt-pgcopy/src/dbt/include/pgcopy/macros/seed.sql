{% materialization seed, adapter='pgcopy' %}
  {%- set seed = adapter.seed_for_copy(model) -%}
  {%- if seed is none -%}
    {{ return(dbt.materialization_seed_default()) }}
  {%- endif -%}
  {%- if flags.WHICH == 'show' -%}
    {{ return(pgcopy_show_seed(seed)) }}
  {%- endif -%}
  {%- do pgcopy_warn_of_extra_columns(seed) -%}

  {#- It drops what builds that were broken off have left, which may fill the disk. Seeds come first. -#}
  {%- set has_builds = 'published' in graph.nodes.values() | map(attribute='config.materialized') -%}
  {%- if has_builds -%}
    {%- do adapter.prepare_builds(builds_schema()) -%}
  {%- endif -%}

  {%- set old_relation = adapter.get_relation(database=database, schema=schema, identifier=model['alias']) -%}
  {%- set target_relation = this.incorporate(type='table') -%}

  {{ run_hooks(pre_hooks, inside_transaction=False) }}

  {%- do adapter.begin_seed() -%}
  {{ run_hooks(pre_hooks, inside_transaction=True) }}

  {%- set recreated = should_full_refresh() or not pgcopy_seed_table_fits(old_relation, seed) -%}
  {%- set ddl = pgcopy_empty_seed_table(old_relation, target_relation, seed, recreated) -%}
  {%- set records = 0 if flags.EMPTY else adapter.copy_seed(target_relation, seed) -%}
  {%- if has_builds -%}
    {%- do adapter.note_loaded(builds_schema(), seed) -%}
  {%- endif -%}

  {% call noop_statement('main', 'COPY ' ~ records, 'COPY', records) %}
    {{ ddl }};
    copy {{ target_relation }} from stdin;
  {% endcall %}
  {#- dbt asks every seed for a table of its rows, which only `dbt seed --show` then uses. -#}
  {%- set sample = run_query('select * from ' ~ target_relation ~ ' limit 10') if invocation_args_dict.get('show') else none -%}
  {%- do store_result('agate_table', response='OK', agate_table=sample) -%}

  {%- set revoke = should_revoke(old_relation, full_refresh_mode=recreated) -%}
  {%- do apply_grants(target_relation, config.get('grants'), should_revoke=revoke) -%}
  {%- do persist_docs(target_relation, model) -%}
  {%- if recreated -%}
    {%- do create_indexes(target_relation) -%}
  {%- endif -%}

  {{ run_hooks(post_hooks, inside_transaction=True) }}
  {%- do adapter.commit_seed() -%}
  {{ run_hooks(post_hooks, inside_transaction=False) }}

  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{% macro pgcopy_warn_of_extra_columns(seed) %}
  {%- if seed.extra_columns -%}
    {%- do exceptions.warn(
      seed.path.name ~ ": these columns are not loaded: " ~ seed.extra_columns | join(", ")
    ) -%}
  {%- endif -%}
{% endmacro %}


{#- `dbt show` runs this materialization, to see what is in the file and not to load it. -#}
{% macro pgcopy_show_seed(seed) %}
  {%- set shown = api.Relation.create(schema='pg_temp', identifier='dbt_pgcopy_shown') -%}
  {%- set limit = invocation_args_dict['limit'] -%}
  {%- do adapter.begin_seed() -%}
  {%- do run_query('create temporary table dbt_pgcopy_shown (' ~ pgcopy_seed_columns(seed) ~ ') on commit drop') -%}
  {%- do adapter.copy_seed(shown, seed) -%}
  {%- set sample = run_query('select * from ' ~ shown ~ (' limit ' ~ limit if limit >= 0)) -%}
  {%- do adapter.commit_seed() -%}
  {% call noop_statement('main', 'SHOW ' ~ (sample.rows | length), 'SHOW', sample.rows | length) %}{% endcall %}
  {%- do store_result('agate_table', response='OK', agate_table=sample) -%}
  {{ return({'relations': []}) }}
{% endmacro %}


{% macro pgcopy_seed_columns(seed) -%}
  {%- for name, type in seed.columns.items() %}
    {{ adapter.quote(name | replace('"', '""')) }} {{ type }}{{ ',' if not loop.last }}
  {%- endfor %}
{%- endmacro %}


{% macro pgcopy_empty_seed_table(old_relation, target_relation, seed, recreated) %}
  {%- if recreated -%}
    {%- if old_relation is not none -%}
      {%- do adapter.drop_relation(old_relation) -%}
    {%- endif -%}
    {%- set ddl -%}
      create {{ 'unlogged ' if config.get('unlogged') }}table {{ target_relation }} (
        {{- pgcopy_seed_columns(seed) }}
      )
    {%- endset -%}
  {%- else -%}
    {%- set ddl = 'truncate table ' ~ target_relation ~ ' restart identity' -%}
  {%- endif -%}
  {%- do run_query(ddl) -%}
  {{ return(ddl) }}
{% endmacro %}


{#-
  Whether the table that is there has the columns that the seed declares: the same names and types
  in the same order. PostgreSQL is asked to make such a table, because only it knows that
  `varchar(10)` is `character varying(10)`.
-#}
{% macro pgcopy_seed_table_fits(old_relation, seed) %}
  {%- if old_relation is none or not old_relation.is_table -%}
    {{ return(false) }}
  {%- endif -%}
  {%- do run_query(
    'create temporary table dbt_pgcopy_declared (' ~ pgcopy_seed_columns(seed) ~ ') on commit drop'
  ) -%}
  {%- set found = run_query(pgcopy_table_shape_sql(old_relation.include(database=false))).columns -%}
  {%- set declared = run_query(pgcopy_table_shape_sql('pg_temp.dbt_pgcopy_declared')).columns -%}
  {%- do run_query('drop table pg_temp.dbt_pgcopy_declared') -%}
  {%- set persistence = 'u' if config.get('unlogged') else 'p' -%}
  {{ return(found[1].values() == declared[1].values() and persistence in found[0].values()) }}
{% endmacro %}
