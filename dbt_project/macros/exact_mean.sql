{#-
  The mean of the numbers, zero or more, that are not null, rounded half up to 4 decimals, without
  trailing zeros; null if there are none.
-#}
{% macro exact_mean(column) -%}
    {{ exact_ratio('sum(' ~ column ~ ')', 'count(' ~ column ~ ')') }}
{%- endmacro %}


{#-
  One number, zero or more, by a whole one; null if that is zero. Not `round(a / b, 4)`: division
  and avg() round to 16 digits or so first, and a second rounding may then go the wrong way, where
  div() is exact.
-#}
{% macro exact_ratio(dividend, divisor) -%}
    trim_scale(
            div(20000 * {{ dividend }}::numeric + {{ divisor }}, nullif(2 * {{ divisor }}, 0)) * 0.0001
        )
{%- endmacro %}
