{#- An issue for each record of a relation that is dropped for its key: no integer, or seen before. -#}
{% macro dropped_for_their_key(suspects, key) -%}
select
        record_number,
        '{{ key }}' as column_name,
        {{ key }} as value,
        case
            when problem = 'duplicate key'
                then problem
            else {{ integer_problem(key, 'key') }}
        end as problem,
        'record dropped' as action,
        record

    from {{ suspects }}

    where problem in ('bad key', 'duplicate key')
{%- endmacro %}
