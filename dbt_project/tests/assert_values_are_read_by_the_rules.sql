-- A row is an example that gives another value than it has by the rules.

with

-- ASCII digits with a sign, within bigint, also with a fraction of zeros
integers as (

    select
        example,
        expected,
        {{ text_to_bigint('example') }} as found

    from (
        values
        ('7', 7),
        ('+7', 7),
        ('-007', -7),
        ('7.0', 7),
        ('0x7', null),
        ('1_000', null),
        ('９', null),
        ('9223372036854775807', 9223372036854775807),
        ('9223372036854775808', null),
        ('-9223372036854775808', -9223372036854775808),
        ('7.5', null),
        (null, null)
    ) as examples (example, expected)

),

-- from 0 to below 10^12, to 15 digits after the point; with a comma if no comma separates columns
numbers as (

    select
        example,
        expected,
        {{ field_to_nonnegative_number('example', 'separator') }} as found

    from (
        values
        ('12.5', null, 12.5),
        ('+.5', null, 0.5),
        ('5.', null, 5),
        ('1.25e1', null, 12.5),
        ('-0', null, 0),
        ('-1', null, null),
        ('1e400', null, null),
        ('NaN', null, null),
        ('Infinity', null, null),
        ('1,5', null, null),
        ('1_000', null, null),
        ('0x1F', null, null),
        (null, null, null),
        ('1,5', ';', 1.5),
        ('1.5', ';', 1.5),
        ('1.000,5', ';', null),
        ('999999999999.9', null, 999999999999.9),
        ('1e12', null, null),
        ('9.9E+37', null, null),
        ('0.0000000000000015', null, 0.000000000000002),
        ('999999999999.9999999999999995', null, null),
        ('999999999999.9999999999999994', null, 999999999999.999999999999999),
        ('-1e-20', null, null),
        ('0e999', null, 0)
    ) as examples (example, separator, expected)

),

-- only days of the calendar
iso_dates as (

    select
        example,
        expected,
        {{ text_to_date('example', 'YYYY-MM-DD') }} as found

    from (
        values
        ('2024-02-29', date '2024-02-29'),
        ('2023-02-29', null),
        ('2000-02-29', date '2000-02-29'),
        ('1900-02-29', null),
        ('2023-04-31', null),
        ('2023-13-01', null),
        ('0000-01-01', null),
        ('2023-1-1', null),
        ('9999-12-31', date '9999-12-31'),
        ('20230101', null),
        ('15/03/2021', null),
        (null, null)
    ) as examples (example, expected)

),

-- another format beside the usual one; a single D or M stands for one digit or two
other_dates as (

    select
        example,
        expected,
        {{ text_to_date('example', 'D/M/YYYY') }} as found

    from (
        values
        ('15/03/2021', date '2021-03-15'),
        ('5/3/2021', date '2021-03-05'),
        ('2021-03-15', date '2021-03-15'),
        ('29/2/2023', null),
        ('3/15/2021', null),
        ('15.03.2021', null)
    ) as examples (example, expected)

),

-- an entry is trimmed, and is an integer like any other or is ignored
entries as (

    select
        examples.example,
        examples.expected,
        {{ entry_to_bigint('list_entries.entry') }} as found

    from (
        values
        ({{ "'7; 7;\t07\u00a0;+7.0'" }}, 7),
        ('; ;x;1_0', null)
    ) as examples (example, expected)

    cross join lateral {{ text_list_entries('examples.example') }}

),

-- a list is split at semicolons; where there is none, there is no entry
lists as (

    select
        examples.example,
        examples.expected,
        count(*) as found

    from (
        values
        ('7', 1),
        ('7; 7;;x', 4),
        (null, 0)
    ) as examples (example, expected)

    cross join lateral {{ text_list_entries('examples.example') }}

    group by examples.example, examples.expected

),

-- a list that gave no entry would be missing above
lists_with_entries as (

    select
        'lists with entries' as example,
        2 as expected,
        count(*) as found

    from lists

),

-- of the run times that there are, rounded once, half up to 4 decimals
means as (

    select
        example,
        expected,
        {{ exact_mean('run_time') }} as found

    from (
        values
        ('10, 15 and none', 10, 12.5),
        ('10, 15 and none', 15, 12.5),
        ('10, 15 and none', null, 12.5),
        ('0.000049999999999', 0.000049999999999, 0),
        ('123456789012.00005', 123456789012.00005, 123456789012.0001),
        ('none', null, null)
    ) as examples (example, run_time, expected)

    group by example, expected

),

-- the first record with a key wins
keys as (

    select
        example,
        expected,
        {{ key_problem('id') }} as found

    from (
        values
        ('another with 7', 3, 7, 'duplicate key'),
        ('the first with 7', 1, 7, null),
        ('the first with 8', 2, 8, null),
        ('one without', 4, null, 'bad key'),
        ('another without', 5, null, 'bad key')
    ) as examples (example, record_number, id, expected)

),

wrong as (

    {% for examples in [
        'integers', 'numbers', 'iso_dates', 'other_dates', 'entries', 'lists', 'lists_with_entries',
        'means', 'keys'
    ] %}
        select
            '{{ examples }}' as examples,
            example,
            cast(expected as {{ dbt.type_string() }}) as expected,
            cast(found as {{ dbt.type_string() }}) as found

        from {{ examples }}

        where expected is distinct from found
        {{ 'union all' if not loop.last }}
    {% endfor %}

)

select
    examples,
    example,
    expected,
    found,
    'By the rules, “' || coalesce(example, 'null') || '” is ' || coalesce(expected, 'no value')
    || ', but it is read as ' || coalesce(found, 'no value') || '.' as message

from wrong
