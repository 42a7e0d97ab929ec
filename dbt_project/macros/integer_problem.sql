{#- Why a text is no integer within bigint; asked only where `text_to_bigint` gave null. -#}
{% macro integer_problem(text, noun) -%}
    case
        when {{ text }} is null
            then '{{ noun }} is missing'
        when {{ matches(text, '^[+-]?[0-9]+([.]0+)?$') }}
            then '{{ noun }} is out of range'
        else '{{ noun }} is not an integer' || {{ looks_like(text, [
            ('^=', 'a spreadsheet formula'),
            ('^[<>~≤≥≈]', 'a limit'),
            ('^[+-]?[0-9]{1,3}(,[0-9]{3})+$', 'thousands separators'),
            ('^[+-]?[0-9]+([.][0-9]*)?[eE][+-]?[0-9]+$', 'scientific notation'),
            ('^[+-]?[0-9]+[.][0-9]*$', 'a fraction'),
            ('^[0-9]+([ ,|/]+[0-9]+)+$', 'several ids'),
            (unit_pattern(), 'a number with a unit'),
            ('[^ -~]', 'characters that are not ASCII'),
        ]) }}
    end
{%- endmacro %}
