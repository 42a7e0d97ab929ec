{#-
  As dbt's own, in two statements: that asks twice which columns there are, in the information schema,
  and comments twice, which is a thirtieth of a build of small files.
-#}
{% macro pgcopy__persist_docs(relation, model, for_relation, for_columns) %}
  {%- set comments = [] -%}
  {%- if for_relation and config.persist_relation_docs() and model.description -%}
    {%- do comments.append(alter_relation_comment(relation, model.description)) -%}
  {%- endif -%}
  {%- if for_columns and config.persist_column_docs() and model.columns -%}
    {#- A table with a contract has the columns that the contract names. -#}
    {%- set is_known = relation.is_table and config.get('contract').enforced -%}
    {%- set found = model.columns if is_known else run_query(pgcopy_column_names_sql(relation)).columns[0].values() -%}
    {%- for name, column in validate_doc_columns(relation, model.columns, found).items() if name in found -%}
      {%- set name = adapter.quote(name) if column['quote'] else name -%}
      {%- do comments.append('comment on column ' ~ relation ~ '.' ~ name ~ ' is ' ~ postgres_escape_comment(column['description']) ~ ';') -%}
    {%- endfor -%}
  {%- endif -%}
  {%- if comments -%}
    {%- do run_query(comments | join('\n')) -%}
  {%- endif -%}
{% endmacro %}


{% macro pgcopy_column_names_sql(relation) %}
select attname
from pg_attribute
where
    attrelid = to_regclass('{{ relation | string | replace("'", "''") }}')
    and attnum > 0
    and not attisdropped
{% endmacro %}
