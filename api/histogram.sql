-- Equal values are counted first: the rest is then of few. Steps of 1, 2 or 5 times a power of ten;
-- those of whole numbers are whole. Where few values would stretch the range (the largest hundredth
-- to three times its width or more), they share a last bin. What is not finite is in no bin; NaN is
-- above infinity.
with _values as (
    select
        case
            when {column}::numeric > '-infinity' and {column}::numeric < 'infinity'
                then {column}::numeric
        end as value,
        count(*) as count
    from ({rows}) as _rows
    group by {column}
),

_limits as (
    select
        min(value) as least,
        max(value) as most,
        coalesce(sum(count) filter (where value is null), 0)::bigint as without
    from _values
),

_above as (
    select
        _values.value,
        sum(_values.count) over (order by _values.value) as up_to_it,
        sum(_values.count) over () as total
    from _values
    cross join _limits
    where _values.value > _limits.least
),

_common as (
    select min(value) as most
    from _above
    where up_to_it >= 0.99 * total
),

_ranges as (
    select
        _limits.*,
        case
            when _limits.most - _limits.least >= 3 * (_common.most - _limits.least)
                then _common.most
            else _limits.most
        end as last
    from _limits
    cross join _common
),

_steps as (
    select min(factors.factor * 10::numeric ^ powers.power) as step
    from _ranges
    cross join (values (1), (2), (5)) as factors (factor)
    cross join generate_series({smallest}, 308) as powers (power)
    where
        factors.factor * 10::numeric ^ powers.power * {bins}
        > coalesce(nullif(_ranges.last - _ranges.least, 0), {bins} / 2.0)
),

_counts as (
    select
        least(floor(_values.value / _steps.step), floor(_ranges.last / _steps.step) + 1) as bin,
        sum(_values.count)::bigint as count
    from _values
    cross join _steps
    cross join _ranges
    where _values.value is not null
    group by 1
)

select
    _steps.step,
    _ranges.without,
    case when _ranges.last < _ranges.most then floor(_ranges.last / _steps.step) + 1 end as tail,
    _counts.bin,
    _counts.count
from _ranges
cross join _steps
left join _counts on true
order by _counts.bin
