{#- The calendar date that a text spells as YYYY-MM-DD, or null. -#}
{% macro text_to_date(text) -%}
    {{ return(adapter.dispatch('text_to_date')(text)) }}
{%- endmacro %}

{#- Days are counted by hand: before PostgreSQL 16 a cast can only be tried, and then it fails. -#}
{% macro postgres__text_to_date(text) -%}
    {%- set year = 'substr(' ~ text ~ ', 1, 4)::integer' -%}
    {%- set month = 'substr(' ~ text ~ ', 6, 2)::integer' -%}
    {%- set day = 'substr(' ~ text ~ ', 9, 2)::integer' -%}
    case
        when {{ text }} ~ '^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$'
            then case
                when {{ year }} = 0
                    then null
                when {{ day }} <= 28
                    then {{ text }}::date
                when {{ month }} = 2
                    then case
                        when
                            {{ day }} = 29
                            and {{ year }} % 4 = 0
                            and ({{ year }} % 100 <> 0 or {{ year }} % 400 = 0)
                            then {{ text }}::date
                    end
                when {{ day }} <= 30 or {{ month }} not in (4, 6, 9, 11)
                    then {{ text }}::date
            end
    end
{%- endmacro %}
