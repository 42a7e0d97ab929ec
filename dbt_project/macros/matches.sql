{#- Whether a text fits a regular expression of what all engines read alike, without a backslash. -#}
{% macro matches(text, pattern) -%}
    {{ return(adapter.dispatch('matches')(text, pattern)) }}
{%- endmacro %}

{% macro postgres__matches(text, pattern) -%}
    {{ text }} ~ '{{ pattern }}'
{%- endmacro %}

{#- In Java, $ also stands before a line feed at the end; \z does not. -#}
{% macro spark__matches(text, pattern) -%}
    {{ text }} rlike '{{ pattern[:-1] ~ '\\\\z' if pattern.endswith('$') else pattern }}'
{%- endmacro %}
