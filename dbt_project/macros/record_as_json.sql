{#- A record as it was read: the columns of the file, as text. -#}
{% macro record_as_json(relation, columns) -%}
    {{ return(adapter.dispatch('record_as_json')(relation, columns)) }}
{%- endmacro %}

{% macro postgres__record_as_json(relation, columns) -%}
    jsonb_build_object(
            {%- for column in columns %}
            '{{ column }}', {{ relation }}.{{ column }}{{ ',' if not loop.last }}
            {%- endfor %}
        )
{%- endmacro %}

{#- Without the option, nulls would be left out. -#}
{% macro spark__record_as_json(relation, columns) -%}
    to_json(
            named_struct(
                {%- for column in columns %}
                '{{ column }}', {{ relation }}.{{ column }}{{ ',' if not loop.last }}
                {%- endfor %}
            ),
            map('ignoreNullFields', 'false')
        )
{%- endmacro %}
