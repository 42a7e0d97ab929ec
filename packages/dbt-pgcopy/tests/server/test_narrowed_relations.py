"""What `--empty` and `--sample` make of a `ref()`, however a model goes on after it."""

from collections.abc import Callable
from typing import Any

import pytest
from dbt.tests.util import run_dbt

Query = Callable[..., list[tuple[Any, ...]]]

EVENTS = """
{{ config(materialized='table', event_time='happened_at') }}
select 1 as id, current_timestamp - interval '3 days' as happened_at
union all select 2 as id, current_timestamp - interval '1 hour' as happened_at
"""
NAMES = "{{ config(materialized='table') }} select id, 'x' as name from {{ ref('events') }}"
JOINED = """
{{ config(materialized='table') }}
select first.id, names.name, "Last".happened_at, to_jsonb("Last") ->> 'id' as text
from {{ ref('events') }} as first
inner join {{ ref('names') }} on first.id = names.id
inner join {{ ref('events') }} "Last" on names.id = "Last".id
union all
select events.id, names.name, events.happened_at, to_jsonb(events) ->> 'id' as text
from {{ ref('events') }}, {{ ref('names') }}
where events.id = names.id
"""


class TestNarrowed:
    @pytest.fixture(scope="class")
    def models(self) -> dict[str, str]:
        return {"events.sql": EVENTS, "names.sql": NAMES, "joined.sql": JOINED}

    @pytest.mark.parametrize(
        ("flags", "ids"),
        [
            ([], [1, 1, 2, 2]),
            (["--empty"], []),
            (["--sample", "1 day"], [2, 2]),
            (["--empty", "--sample", "1 day"], []),
        ],
        ids=str,
    )
    @pytest.mark.usefixtures("project")
    def test_aliases_and_names_of_tables(
        self, query: Query, flags: list[str], ids: list[int]
    ) -> None:
        run_dbt(["run", *flags])
        assert query("select id from joined order by id") == [(n,) for n in ids]
        assert query("select text from joined order by id") == [(str(n),) for n in ids]
