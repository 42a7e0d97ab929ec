{#-
  What a text that cannot be used looks like, to follow the name of the problem; an empty text if
  it looks like nothing known.

  Args:
      looks: pairs of a regular expression and what it stands for; the first that fits counts.
-#}
{% macro looks_like(text, looks) -%}
    case
            {%- for pattern, look in looks %}
            when {{ matches(text, pattern) }}
                then ', looks like {{ look }}'
            {%- endfor %}
            else ''
        end
{%- endmacro %}

{% macro unit_pattern() -%}
    ^[+-]?[0-9]+([.,][0-9]+)? ?[^0-9 .,+-][^0-9]*$
{%- endmacro %}


{#-
  Why a text is no number that can be used; asked only where there is none.

  Args:
      pointed: the text with a decimal point, if it may have had a comma.
-#}
{% macro number_problem(text, pointed) -%}
    case
            when {{ pointed }} like '-%' and length({{ pointed }}) <= 1000 and {{ matches(pointed, number_pattern()) }}
                then 'negative'
            when length({{ pointed }}) <= 1000 and {{ matches(pointed, number_pattern()) }}
                then 'out of range'
            else 'not a finite number' || {{ looks_like(text, [
                ('^=', 'a spreadsheet formula'),
                ('^[<>~≤≥≈]', 'a limit'),
                ('^[+-]?[0-9]{1,3},[0-9]{3}$', 'thousands separators or a decimal comma'),
                ('^[+-]?[0-9]{1,3}([., ][0-9]{3})+([.,][0-9]+)?$', 'thousands separators'),
                ('^[+-]?[0-9]+,[0-9]+$', 'a decimal comma'),
                (unit_pattern(), 'a number with a unit'),
                ('[^ -~]', 'characters that are not ASCII'),
            ]) }}
        end
{%- endmacro %}


{#- Such as a format may tell, whichever of its numbers is the month. -#}
{% macro date_in_another_format() -%}
    {%- set number = '(0?[1-9]|[12][0-9]|3[01])' -%}
    {%- set ends = number ~ '[-./ ]' ~ number -%}
    ([0-9]{4}[-./ ]{{ ends }}|{{ ends }}[-./ ][0-9]{4})
{%- endmacro %}

{#- Why a text is no date; asked only where `text_to_date` gave null. -#}
{% macro date_problem(text) -%}
    case
            when {{ matches(text, date_pattern(date_format())) }} or {{ matches(text, date_pattern('YYYY-MM-DD')) }}
                then 'not a calendar date'
            else 'not a calendar date' || {{ looks_like(text, [
                ('^' ~ date_in_another_format() ~ '$', 'a date in another format'),
                ('^[0-9]{1,4}[-./][0-9]{1,2}[-./][0-9]{1,4}[ T]+[0-9]{1,2}:', 'a date with a time'),
                ('^[0-9]{1,2}[-./ ][0-9]{1,2}[-./ ][0-9]{2}$', 'a date with a year of two digits'),
                ('^[0-9]{1,2}[- .]+[A-Za-z]{3,9}[- .,]+[0-9]{2,4}$', 'a date with the name of a month'),
                ('^[0-9]{5}$', 'a day number of a spreadsheet'),
                ('[^ -~]', 'characters that are not ASCII'),
            ]) }}
        end
{%- endmacro %}
