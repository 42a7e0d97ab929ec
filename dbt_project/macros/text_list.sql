{#- The entries of a list separated by semicolons, one row each, not trimmed. -#}
{% macro text_list_entries(text) -%}
    {{ return(adapter.dispatch('text_list_entries')(text)) }}
{%- endmacro %}

{#- string_to_table() is no slower, but the planner takes each list to have 1000 entries. -#}
{% macro postgres__text_list_entries(text) -%}
    unnest(string_to_array({{ text }}, ';'))
{%- endmacro %}


{#- A text without white space at its ends: space, tab, carriage return, no-break space. -#}
{% macro trimmed(text) -%}
    btrim({{ text }}, E' \t\r\u00a0')
{%- endmacro %}
