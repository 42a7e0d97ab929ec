{#-
  The number from 0 to below 10^12 that a text spells, or null: decimal digits with an optional sign,
  point and exponent of up to three digits, in at most 1000 characters. It is exact to 15 digits after
  the point, to which it is rounded half up first.
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
            and ({{ text }} = {{ text }}::numeric::text or {{ matches(text, number_pattern()) }})
        {%- else %}
        when length({{ text }}) <= 1000 and {{ matches(text, number_pattern()) }}
        {%- endif %}
            then case
                when {{ text }}::numeric < 0 or {{ text }}::numeric >= 999999999999.9999999999999995
                    then null
                when scale({{ text }}::numeric) > 15
                    then trim_scale(round({{ text }}::numeric, 15))
                else {{ text }}::numeric
            end
    end
{%- endmacro %}

{#-
  Spark's own cast rounds once, half up, too. It makes a zero of what is negative and small, and takes
  no zero with a large exponent.
-#}
{% macro spark__text_to_nonnegative_number(text) -%}
    case
        when length({{ text }}) <= 1000 and {{ matches(text, number_pattern()) }}
            then coalesce(
                case when {{ text }} not like '-%' then try_cast({{ text }} as decimal(27, 15)) end,
                case when {{ matches(text, '^[+-]?[0.]+([eE].*)?$') }} then cast(0 as decimal(27, 15)) end
            )
    end
{%- endmacro %}

{#- The same of a text that may have a decimal comma: what separates the columns is not a comma. -#}
{% macro field_to_nonnegative_number(text, separator) -%}
    coalesce(
            {{ text_to_nonnegative_number(text) }},
            case
                when {{ separator }} is not null
                    then {{ text_to_nonnegative_number("replace(" ~ text ~ ", ',', '.')") }}
            end
        )
{%- endmacro %}

{% macro number_pattern() -%}
    ^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]{1,3})?$
{%- endmacro %}
