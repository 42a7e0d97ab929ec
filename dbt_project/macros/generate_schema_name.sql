{#-
  Schemas are named plainly: raw, staging, intermediate, marts, builds. A target of another schema than
  marts, which is one's own to try things in, has that in front of each, as in dbt itself.
-#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name if custom_schema_name and target.schema == 'marts' else default__generate_schema_name(custom_schema_name, node) }}
{%- endmacro %}
