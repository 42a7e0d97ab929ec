{#-
  A table that readers see only once the whole build has passed. Each run makes a new one in the
  schema of builds; `publish_build` points the view with the model's name at it. `as_view` makes
  a view of it, for what is cheap to ask of the tables of the same build.
-#}
{% materialization published, adapter='pgcopy' %}
  {%- do adapter.prepare_builds(builds_schema()) -%}
  {%- set table = api.Relation.create(
    database=database, schema=builds_schema(), identifier=adapter.name_table(model['alias']),
    type='view' if config.get('as_view') else 'table'
  ) -%}

  {#- Hooks write `this` for what they have to do with, which is the table. -#}
  {%- do context.update({'this': table}) -%}

  {{ run_hooks(pre_hooks, inside_transaction=False) }}
  {{ run_hooks(pre_hooks, inside_transaction=True) }}

  {% call statement('main') %}
    {{ pgcopy_create_published(table, sql) }}
  {% endcall %}
  {%- set changes = pgcopy_constraints() if config.get('contract').enforced else [] -%}
  {%- if changes -%}
    {%- do run_query('alter table ' ~ table ~ ' ' ~ changes | join(', ')) -%}
  {%- endif -%}
  {%- if table.is_table -%}
    {%- do create_indexes(table) -%}
    {#- Read by what is built next, and by readers at once: before autovacuum comes. -#}
    {%- do run_query('analyze ' ~ table) -%}
  {%- endif -%}

  {{ run_hooks(post_hooks, inside_transaction=True) }}

  {%- do apply_grants(table, config.get('grants'), should_revoke=False) -%}
  {%- do persist_docs(table, model) -%}

  {{ adapter.commit() }}
  {{ run_hooks(post_hooks, inside_transaction=False) }}

  {%- do adapter.note_built(api.Relation.create(database=database, schema=schema, identifier=model['alias']), table) -%}
  {{ return({'relations': [table]}) }}
{% endmaterialization %}


{#-
  The table with the columns of its contract; what else that says comes after the rows. CREATE TABLE AS
  works in parallel, which INSERT does not, and an index is made faster of rows that are there.
-#}
{% macro pgcopy_create_published(table, sql) %}
  {%- if table.is_view -%}
    {{ return(get_create_view_as_sql(table, sql)) }}
  {%- endif -%}
  {%- if not config.get('contract').enforced -%}
    {{ return(get_create_table_as_sql(False, table, sql)) }}
  {%- endif -%}
  {{ get_assert_columns_equivalent(sql) }}
  create {{ 'unlogged ' if config.get('unlogged') }}table {{ table }} as
  select
  {%- for column in model['columns'].values() %}
    {%- set name = adapter.quote(column['name']) if column.get('quote') else column['name'] %}
    {{ name }}::{{ column['data_type'] }} as {{ name }}{{ ',' if not loop.last }}
  {%- endfor %}
  from (
    {{ sql }}
  ) as model_subq
{% endmacro %}


{#- The constraints of a model and of its columns, as changes of a table. -#}
{% macro pgcopy_constraints() %}
  {%- set changes, constraints = [], model['constraints'] | list -%}
  {%- for column in model['columns'].values() -%}
    {%- set name = adapter.quote(column['name']) if column.get('quote') else column['name'] -%}
    {%- for constraint in column['constraints'] -%}
      {%- if constraint['type'] == 'not_null' -%}
        {%- do changes.append('alter column ' ~ name ~ ' set not null') -%}
      {%- elif constraint['type'] == 'custom' -%}
        {%- do exceptions.raise_compiler_error('A published model takes a custom constraint only of the model: ' ~ model['name']) -%}
      {%- else -%}
        {%- do constraints.append(dict(constraint, columns=[name])) -%}
      {%- endif -%}
    {%- endfor -%}
  {%- endfor -%}
  {%- for constraint in adapter.render_raw_model_constraints(raw_constraints=constraints) -%}
    {%- do changes.append('add ' ~ constraint) -%}
  {%- endfor -%}
  {{ return(changes) }}
{% endmacro %}


{#- The schema that holds the tables of all builds, and the table `publications`. -#}
{% macro builds_schema() %}
  {{ return(generate_schema_name('builds', none) | trim) }}
{% endmacro %}


{#-
  For on-run-end: publishes what this run has built, if every node passed, and drops the tables of old
  builds. It fails the run if that cannot be done.

  results: as dbt gives them.
  options: what decided the outcome besides files and selection, a dictionary.
  column_meta: what is noted of columns beside their own meta, by model and column.
  versions: of what else it was made with, beside dbt and PostgreSQL, a dictionary.
  returns: of a build that is made again from the files of an earlier one: `returns_to`, `requested_by`, `reason`.
  run_id: a number by which the caller knows the run.
  wait_seconds: how long to wait for transactions that hold a view.
  keep: how many builds keep their tables.
  keep_files_mb: how many megabytes the files may have together that the newest builds were made from.
-#}
{% macro publish_build(results, options={}, column_meta={}, versions={}, returns={}, run_id=none, wait_seconds=60, keep=10, keep_files_mb=2000) %}
  {%- if not execute or flags.WHICH not in ('build', 'run') -%}
    {{ return('') }}
  {%- endif -%}
  {%- set built = [] -%}
  {%- for result in results -%}
    {%- if result.status in ('error', 'fail', 'runtime error', 'skipped', 'partial success') and result.node.resource_type != 'exposure' -%}
      {{ return('') }}
    {%- elif result.node.config.materialized == 'published' -%}
      {%- do built.append(result.node.name) -%}
    {%- endif -%}
  {%- endfor -%}
  {%- if not built -%}
    {{ return('') }}
  {%- endif -%}
  {%- set problem = (
    'tables built with --empty or --sample are not for readers.' if flags.EMPTY or adapter.is_sample()
    else 'dbt retry builds only a part anew. Run dbt build.' if adapter.is_retry()
  ) -%}
  {%- if problem -%}
    {%- do log('Nothing is published: ' ~ problem, info=true) -%}
    {{ return('') }}
  {%- endif -%}

  {#- By id, the SQL of each model that has run, and of those that it reads and that are not of the build. -#}
  {%- set sql = {} -%}
  {%- for node in results | map(attribute='node') if node.resource_type == 'model' -%}
    {%- set needed = {} -%}
    {%- for parent in node.depends_on.nodes if parent in sql and graph.nodes[parent].config.materialized != 'published' -%}
      {%- do needed.update(sql[parent]) -%}
    {%- endfor -%}
    {%- do sql.update({node.unique_id: dict(needed, **{node.name: node.compiled_code})}) -%}
  {%- endfor -%}

  {%- set marts = {} -%}
  {%- for node in graph.nodes.values() if node.config.materialized == 'published' -%}
    {%- set meta_of_columns = {} -%}
    {%- for column in node.columns.values() -%}
      {%- set meta = dict(column.config.meta or column.meta, **column_meta.get(node.name, {}).get(column.name, {})) -%}
      {%- if meta -%}{%- do meta_of_columns.update({column.name: meta}) -%}{%- endif -%}
    {%- endfor -%}
    {%- do marts.update({node.alias: {
      'view_schema': node.schema,
      'description': node.description,
      'meta': node.config.meta,
      'column_meta': meta_of_columns,
      'sql': sql.get(node.unique_id, {}),
    }}) -%}
  {%- endfor -%}
  {%- set has_run = results | map(attribute='node.unique_id') | list -%}
  {%- set left_out = graph.nodes.values() | selectattr('resource_type', 'equalto', 'model')
    | rejectattr('config.materialized', 'equalto', 'ephemeral')
    | map(attribute='unique_id') | reject('in', has_run) | list -%}
  {%- set seeds = graph.nodes.values() | selectattr('resource_type', 'equalto', 'seed') | map(attribute='name') -%}
  {%- set noted = {
    'options': options, 'versions': versions, 'returns': returns, 'run_id': run_id,
    'seeds': seeds | list, 'is_part': left_out | length > 0,
  } -%}
  {%- set error = adapter.publish_build(builds_schema(), marts, noted, wait_seconds) -%}
  {%- if error -%}
    {#- An error of this statement is one of the hook; one raised here would end dbt half way. -#}
    {{ return(pgcopy_failing_sql(error)) }}
  {%- endif -%}
  {%- do adapter.drop_unneeded_tables(builds_schema(), keep) -%}
  {%- do adapter.forget_files(builds_schema(), keep_files_mb) -%}
  {{ return('') }}
{% endmacro %}


{#- A statement that fails with this message. -#}
{% macro pgcopy_failing_sql(message) %}
  {{ return(adapter.dispatch('pgcopy_failing_sql')(message)) }}
{% endmacro %}

{% macro default__pgcopy_failing_sql(message) %}
  {{ return("do $pgcopy$ begin raise exception using errcode = 'X0001', message = '" ~ message | replace("'", "''") ~ "'; end $pgcopy$") }}
{% endmacro %}
