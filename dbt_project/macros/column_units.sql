{#-
  By mart and column, the unit of each column whose meta says `unit_of: seed.column`, if the meta of
  that column states one.
-#}
{% macro column_units() -%}
    {%- set found = {} -%}
    {%- for node in graph.nodes.values() if node.config.materialized == 'published' -%}
        {%- for column in node.columns.values() if column.config.meta.unit_of -%}
            {%- set seed, name = column.config.meta.unit_of.split('.') -%}
            {%- set unit = graph.nodes['seed.' ~ project_name ~ '.' ~ seed].columns[name].config.meta.unit -%}
            {%- if unit -%}
                {%- do found.setdefault(node.name, {}).update({column.name: {'unit': unit}}) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}
