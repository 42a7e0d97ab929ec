{#- What makes two tables the same to COPY: persistence, and all there is to know of each column. -#}
{% macro pgcopy_table_shape_sql(relation) %}
select
    pg_class.relpersistence::text as persistence,
    row(
        pg_attribute.attname,
        format_type(pg_attribute.atttypid, pg_attribute.atttypmod),
        pg_attribute.attnotnull,
        pg_attribute.attidentity,
        pg_attribute.attgenerated,
        pg_attribute.attcollation,
        -- the sequence of a serial column has another name in another table
        regexp_replace(pg_get_expr(pg_attrdef.adbin, pg_attrdef.adrelid), '^nextval.*', 'nextval'),
        pg_sequence.seqstart,
        pg_sequence.seqincrement,
        pg_sequence.seqcache
    )::text as column_shape
from pg_attribute
inner join pg_class on pg_attribute.attrelid = pg_class.oid
left join pg_attrdef
    on pg_attribute.attrelid = pg_attrdef.adrelid and pg_attribute.attnum = pg_attrdef.adnum
left join pg_depend
    on pg_attribute.attrelid = pg_depend.refobjid
    and pg_attribute.attnum = pg_depend.refobjsubid
    and pg_depend.refclassid = 'pg_class'::regclass
    and pg_depend.classid = 'pg_class'::regclass
    and pg_depend.deptype = 'i'
left join pg_sequence on pg_depend.objid = pg_sequence.seqrelid
where
    pg_attribute.attrelid = to_regclass('{{ relation | string | replace("'", "''") }}')
    and pg_class.relkind = 'r'
    and pg_attribute.attnum > 0
    and not pg_attribute.attisdropped
order by pg_attribute.attnum
{% endmacro %}
