{#-
  What is wrong with the key of a record, if anything: it is no integer, or an earlier record has it. The
  first record with a key wins.
-#}
{% macro key_problem(key, record_number='record_number') -%}
    case
            when {{ key }} is null
                then 'bad key'
            when row_number() over (partition by {{ key }} order by {{ record_number }}) > 1
                then 'duplicate key'
        end
{%- endmacro %}
