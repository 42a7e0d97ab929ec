{#- One schema for all that a build makes on Spark, with its tables in the folder of the build. -#}
{% macro sparkcopy__create_schema(relation) %}
  {%- call statement('create_schema') -%}
    create schema if not exists {{ relation }} location {{ sparkcopy_literal(adapter.build_folder()) }}
  {%- endcall -%}
{% endmacro %}
