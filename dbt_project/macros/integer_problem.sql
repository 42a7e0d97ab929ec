{#- Why a text is no integer within bigint; asked only where `text_to_bigint` gave null. -#}
{% macro integer_problem(text, noun) -%}
    case
        when {{ text }} is null
            then '{{ noun }} is missing'
        when {{ text }} ~ '^[+-]?[0-9]+$'
            then '{{ noun }} is out of range'
        else '{{ noun }} is not an integer'
    end
{%- endmacro %}
