"""What of the session with Spark shows without one."""

import pytest
from dbt.adapters.sparkcopy.connections import is_query


@pytest.mark.parametrize(
    "sql",
    [
        "select 1",
        "\n  SELECT raise_error('no')",
        "with a as (select 1) select * from a",
        "-- A check; drop nothing.\nselect 1",
        "/* two\nlines */ /**/ -- and one\n Select 1",
        "(select 1) union all (select 2)",
        "values (1)",
        "from people",
        "table people",
    ],
)
def test_a_query_has_to_be_fetched_to_be_run(sql: str) -> None:
    assert is_query(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "create table a as select 1",
        "insert into a select 1",
        "-- select 1\ndrop table a",
        "-- select 1",
        "/* select */ drop table a /* */ select 1",
        "/* select 1",
        "selection",
        "set x = 1",
    ],
)
def test_a_command_runs_as_it_is_sent(sql: str) -> None:
    assert not is_query(sql)
