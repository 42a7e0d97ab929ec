{#-
  The number from 0 to below 10^12 that a text spells, or null: decimal digits with an optional sign,
  point and exponent of up to three digits, in at most 1000 characters. It is exact to 15 digits after
  the point, to which it is rounded half up.
-#}
{% macro text_to_nonnegative_number(text) -%}
    {{ return(adapter.dispatch('text_to_nonnegative_number')(text)) }}
{%- endmacro %}

{% macro postgres__text_to_nonnegative_number(text) -%}
    case
        {%- if server_has_input_checks() %}
        -- Nearly every number is spelt the way PostgreSQL would write it: a cheap question.
        when not pg_input_is_valid({{ text }}, 'numeric')
            then null
        when
            length({{ text }}) <= 1000
            and ({{ text }} = {{ text }}::numeric::text or {{ text }} ~ {{ number_pattern() }})
        {%- else %}
        when length({{ text }}) <= 1000 and {{ text }} ~ {{ number_pattern() }}
        {%- endif %}
            then case
                when {{ text }}::numeric < 0 or {{ text }}::numeric >= 1000000000000
                    then null
                when scale({{ text }}::numeric) > 15
                    then trim_scale(round({{ text }}::numeric, 15))
                else {{ text }}::numeric
            end
    end
{%- endmacro %}

{% macro number_pattern() -%}
    '^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]{1,3})?$'
{%- endmacro %}
