{#-
  The calendar date that a text spells, or null: as YYYY-MM-DD, or as ELUTE_DATE_FORMAT says, which
  wins where both fit.
-#}
{% macro text_to_date(text) -%}
    {{ return(adapter.dispatch('text_to_date')(text)) }}
{%- endmacro %}

{#- Days are counted by hand: before PostgreSQL 16 a cast can only be tried, and then it fails. -#}
{% macro postgres__text_to_date(text) -%}
    {%- set iso = namespace(
        year='substr(' ~ text ~ ', 1, 4)::integer',
        month='substr(' ~ text ~ ', 6, 2)::integer',
        day='substr(' ~ text ~ ', 9, 2)::integer',
    ) -%}
    case
        {%- if date_format() != 'YYYY-MM-DD' %}
        {%- set parts = date_parts(text) %}
        when {{ text }} ~ '{{ date_pattern(date_format()) }}'
            then {{ checked_date(parts, 'make_date(' ~ [parts.year, parts.month, parts.day] | join(', ') ~ ')') }}
        {%- endif %}
        when {{ text }} ~ '{{ date_pattern('YYYY-MM-DD') }}'
            then {{ checked_date(iso, text ~ '::date') }}
    end
{%- endmacro %}

{#- A date if its year, month and day are of the calendar. -#}
{% macro checked_date(parts, date) -%}
    case
                when {{ parts.year }} = 0
                    then null
                when {{ parts.day }} <= 28
                    then {{ date }}
                when {{ parts.month }} = 2
                    then case
                        when
                            {{ parts.day }} = 29
                            and {{ parts.year }} % 4 = 0
                            and ({{ parts.year }} % 100 <> 0 or {{ parts.year }} % 400 = 0)
                            then {{ date }}
                    end
                when {{ parts.day }} <= 30 or {{ parts.month }} not in (4, 6, 9, 11)
                    then {{ date }}
            end
{%- endmacro %}


{#- How dates are written: YYYY, MM or M, and DD or D, with the same character between them. -#}
{% macro date_format() -%}
    {{ env_var('ELUTE_DATE_FORMAT', 'YYYY-MM-DD') }}
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

{#- Year, month and day of a text in ELUTE_DATE_FORMAT, as integers. -#}
{% macro date_parts(text) -%}
    {%- set separator = date_separator(date_format()) -%}
    {%- set found = namespace() -%}
    {%- for part in date_format().split(separator) -%}
        {%- set value = "split_part(" ~ text ~ ", '" ~ separator ~ "', " ~ loop.index ~ ")::integer" -%}
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
