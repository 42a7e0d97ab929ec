{#- A number without trailing zeros behind the point. -#}
{% macro without_zeros(number) -%}
    {{ return(adapter.dispatch('without_zeros')(number)) }}
{%- endmacro %}

{% macro postgres__without_zeros(number) -%}
    trim_scale({{ number }})
{%- endmacro %}

{#- As text: all numbers of a column have the same places there, and a cast would write 0E-15. -#}
{% macro spark__without_zeros(number) -%}
    regexp_replace(
            replace(format_number(cast({{ number }} as decimal(37, 15)), 15), ',', ''),
            '[.]?0+\\z',
            ''
        )
{%- endmacro %}
