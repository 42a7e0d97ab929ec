{#- For a message: the setting of a ratio with which so many of all pass, in hundredths; no ratio is above 1. -#}
{% macro ratio_that_allows(count, total) -%}
    case
        when {{ count }} > 0.99 * {{ total }} then '1'
        else {{ without_zeros('ceil(100.0 * ' ~ count ~ ' / ' ~ total ~ ') / 100') }} || ' or more'
    end
{%- endmacro %}
