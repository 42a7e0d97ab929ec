{#-
  The integer that a text spells (ASCII digits with an optional sign, within bigint), or null. A
  fraction of zeros, as spreadsheets and data frames write it (9.0), does no harm.

  Nearly every id is spelt the way PostgreSQL would write it, so that case is asked first and cheaply.
-#}
{% macro text_to_bigint(text) -%}
    {{ return(adapter.dispatch('text_to_bigint')(text)) }}
{%- endmacro %}

{% macro postgres__text_to_bigint(text) -%}
    {%- set whole = "split_part(" ~ text ~ ", '.', 1)" -%}
    {%- if server_has_input_checks() -%}
    case
        when pg_input_is_valid({{ text }}, 'bigint')
            then case
                when {{ text }} = {{ text }}::bigint::text or {{ text }} ~ '^[+-]?[0-9]+$'
                    then {{ text }}::bigint
            end
        when {{ text }} ~ '^[+-]?[0-9]+[.]0+$' and pg_input_is_valid({{ whole }}, 'bigint')
            then {{ whole }}::bigint
    end
    {%- else -%}
    case
        when {{ text }} ~ '^[0-9]+$' and length({{ text }}) <= 18
            then {{ text }}::bigint
        when {{ text }} ~ '^[+-]?0*[0-9]{1,19}([.]0+)?$'
            then case
                when {{ whole }}::numeric between -9223372036854775808 and 9223372036854775807
                    then {{ whole }}::bigint
            end
    end
    {%- endif -%}
{%- endmacro %}

{#- Spark's own cast takes white space, too. A regular expression costs eight times as much as the rest. -#}
{% macro spark__text_to_bigint(text) -%}
    case
        when cast(try_cast({{ text }} as bigint) as string) = {{ text }}
            then try_cast({{ text }} as bigint)
        when {{ matches(text, '^[+-]?[0-9]+([.]0+)?$') }}
            then try_cast(split_part({{ text }}, '.', 1) as bigint)
    end
{%- endmacro %}


{#- Whether the server can say that a text is valid input for a type: PostgreSQL 16 and later. -#}
{% macro server_has_input_checks() %}
    {{ return(adapter.dispatch('server_has_input_checks')()) }}
{% endmacro %}

{% macro pgcopy__server_has_input_checks() %}
    {{ return(not execute or adapter.server_version() >= 160000) }}
{% endmacro %}

{#- Works on any version, only slower. -#}
{% macro default__server_has_input_checks() %}
    {{ return(false) }}
{% endmacro %}
