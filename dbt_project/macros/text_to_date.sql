{#-
  The calendar date that a text spells, or null: as YYYY-MM-DD, or in the format, which wins where
  both fit.
-#}
{% macro text_to_date(text, format=none) -%}
    case
        {%- for each in [format or date_format(), 'YYYY-MM-DD'] | unique %}
        when {{ matches(text, date_pattern(each)) }}
            then {{ adapter.dispatch('checked_date')(date_parts(text, each)) }}
        {%- endfor %}
    end
{%- endmacro %}

{#-
  A date if its year, month and day are of the calendar: a day that a month does not have is one of the
  next. Before PostgreSQL 16 a cast can only be tried, and then it fails.
-#}
{% macro postgres__checked_date(parts) -%}
    {%- set first = [parts.year, parts.month, '1'] | join('::integer, ') -%}
    {%- set date = 'make_date(' ~ first ~ ') + ' ~ parts.day ~ '::integer - 1' -%}
    case
                when {{ parts.year }}::integer < {{ first_year() }}
                    then null
                when {{ parts.day }}::integer <= 28 or extract(month from {{ date }}) = {{ parts.month }}::integer
                    then {{ date }}
            end
{%- endmacro %}

{#- Spark's own cast would take 2023-1-5, 2023, and a year 0. -#}
{% macro spark__checked_date(parts) -%}
    case
                when cast({{ parts.year }} as int) >= {{ first_year() }}
                    then try_cast(concat_ws('-', {{ parts.year }}, {{ parts.month }}, {{ parts.day }}) as date)
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
    {%- set found = {} -%}
    {%- for part in format.split(separator) -%}
        {%- set name = {'Y': 'year', 'M': 'month', 'D': 'day'}[part[0]] -%}
        {%- do found.update({name: "split_part(" ~ text ~ ", '" ~ separator ~ "', " ~ loop.index ~ ")"}) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}
