{#- An issue for each kept record of a relation that ends before its last fields. -#}
{% macro early_ends(suspects) -%}
select
        record_number,
        fields_missing as column_name,
        cast(null as {{ dbt.type_string() }}) as value,
        'fields missing at its end' as problem,
        'value set to null' as action,
        record

    from {{ suspects }}

    where
        is_kept
        and fields_missing is not null
{%- endmacro %}
