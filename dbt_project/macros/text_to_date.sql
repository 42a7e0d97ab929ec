{#-
  The calendar date that a text spells, or null: as YYYY-MM-DD, or in the format, which wins where
  both fit.
-#}
{% macro text_to_date(text, format=none) -%}
    {{ return(adapter.dispatch('text_to_date')(text, format or date_format())) }}
{%- endmacro %}

{#- Days are counted by hand: before PostgreSQL 16 a cast can only be tried, and then it fails. -#}
{% macro postgres__text_to_date(text, format) -%}
    {%- set iso = iso_date_parts(text) -%}
    case
        {%- if format != 'YYYY-MM-DD' %}
        {%- set parts = date_parts(text, format) %}
        when {{ matches(text, date_pattern(format)) }}
            then {{ checked_date(parts, 'make_date(' ~ [parts.year, parts.month, parts.day] | join('::integer, ') ~ '::integer)') }}
        {%- endif %}
        when {{ matches(text, date_pattern('YYYY-MM-DD')) }}
            then {{ checked_date(iso, text ~ '::date') }}
    end
{%- endmacro %}

{#- Spark's own cast would take 2023-1-5, 2023, and a year 0. -#}
{% macro spark__text_to_date(text, format) -%}
    {%- set iso = iso_date_parts(text) -%}
    case
        {%- if format != 'YYYY-MM-DD' %}
        {%- set parts = date_parts(text, format) %}
        when {{ matches(text, date_pattern(format)) }}
            then {{ spark_date(parts) }}
        {%- endif %}
        when {{ matches(text, date_pattern('YYYY-MM-DD')) }}
            then {{ spark_date(iso) }}
    end
{%- endmacro %}

{% macro spark_date(parts) -%}
    case
                when cast({{ parts.year }} as int) >= {{ first_year() }}
                    then try_cast(concat_ws('-', {{ parts.year }}, {{ parts.month }}, {{ parts.day }}) as date)
            end
{%- endmacro %}

{#- A date if its year, month and day are of the calendar. -#}
{% macro checked_date(parts, date) -%}
    case
                when {{ parts.year }}::integer < {{ first_year() }}
                    then null
                when {{ parts.day }}::integer <= 28
                    then {{ date }}
                when {{ parts.month }}::integer = 2
                    then case
                        when
                            {{ parts.day }}::integer = 29
                            and {{ parts.year }}::integer % 4 = 0
                            and ({{ parts.year }}::integer % 100 <> 0 or {{ parts.year }}::integer % 400 = 0)
                            then {{ date }}
                    end
                when {{ parts.day }}::integer <= 30 or {{ parts.month }}::integer not in (4, 6, 9, 11)
                    then {{ date }}
            end
{%- endmacro %}


{#- There is no year 0. -#}
{% macro first_year() -%}
    1
{%- endmacro %}


{#- How dates are written: YYYY, MM or M, and DD or D, with the same character between them. -#}
{% macro date_format() -%}
    {{ env_var('ELUTE_DATE_FORMAT', '') or 'YYYY-MM-DD' }}
{%- endmacro %}

{#- What stands between them. -#}
{% macro date_separator(format) -%}
    {{ return(modules.re.sub('[YMD]', '', format)[0]) }}
{%- endmacro %}

{% macro date_pattern(format) -%}
    {%- set patterns = {
        'YYYY': '[0-9]{4}',
        'MM': '(0[1-9]|1[0-2])',
        'M': '(0?[1-9]|1[0-2])',
        'DD': '(0[1-9]|[12][0-9]|3[01])',
        'D': '(0?[1-9]|[12][0-9]|3[01])',
    } -%}
    {%- set separator = date_separator(format) -%}
    {%- set found = [] -%}
    {%- for part in format.split(separator) -%}
        {%- do found.append(patterns[part]) -%}
    {%- endfor -%}
    {{ return('^' ~ found | join('[' ~ separator ~ ']') ~ '$') }}
{%- endmacro %}

{#- Year, month and day of a text in that format, as text. -#}
{% macro date_parts(text, format) -%}
    {%- set separator = date_separator(format) -%}
    {%- set found = namespace() -%}
    {%- for part in format.split(separator) -%}
        {%- set value = "split_part(" ~ text ~ ", '" ~ separator ~ "', " ~ loop.index ~ ")" -%}
        {%- if part[0] == 'Y' -%}
            {%- set found.year = value -%}
        {%- elif part[0] == 'M' -%}
            {%- set found.month = value -%}
        {%- else -%}
            {%- set found.day = value -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{#- The same of one written YYYY-MM-DD. -#}
{% macro iso_date_parts(text) -%}
    {{ return(namespace(
        year='substr(' ~ text ~ ', 1, 4)',
        month='substr(' ~ text ~ ', 6, 2)',
        day='substr(' ~ text ~ ', 9, 2)',
    )) }}
{%- endmacro %}
