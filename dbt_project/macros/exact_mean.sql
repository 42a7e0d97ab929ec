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
    {{ return(adapter.dispatch('exact_ratio')(dividend, divisor)) }}
{%- endmacro %}

{% macro postgres__exact_ratio(dividend, divisor) -%}
    trim_scale(
            div(20000 * {{ dividend }}::numeric + {{ divisor }}, nullif(2 * {{ divisor }}, 0)) * 0.0001
        )
{%- endmacro %}

{#-
  Whole part and rest apart, for a type has 38 digits at most, and where a result needed more, Spark
  would leave out some behind the point without a word. A sum of 10^10 run times fits.
-#}
{% macro spark__exact_ratio(dividend, divisor) -%}
    {%- set sum = 'cast(' ~ dividend ~ ' as decimal(37, 15))' -%}
    {%- set count = 'cast(nullif(' ~ divisor ~ ', 0) as decimal(10, 0))' -%}
    cast(
            cast({{ sum }} div {{ count }} as decimal(22, 4))
            + 0.0001BD * cast(
                (20000 * cast({{ sum }} % {{ count }} as decimal(25, 15)) + {{ count }}) div (2 * {{ count }})
                as decimal(10, 0)
            ) as decimal(26, 4)
        )
{%- endmacro %}
