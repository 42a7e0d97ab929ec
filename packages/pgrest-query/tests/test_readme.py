"""What the README says is true."""

import re
from pathlib import Path
from unittest.mock import Mock

from pgrest_query import LOGIC, OPERATORS, Query, Statement

README = Path(__file__).parents[1].joinpath("README.md").read_text(encoding="utf-8")


def test_the_example_runs() -> None:
    [example] = re.findall(r"(?s)```python\n(.*?)```", README)
    cursor = Mock()
    exec(example, {"cursor": cursor})
    statement = Statement(*cursor.execute.call_args.args)
    assert statement.values == ["home", "city", "a%"]


def test_every_operator_is_named() -> None:
    language = README.partition("## The language")[2].partition("### Where")[0]
    named = set(re.findall(r"[a-z.]+", " ".join(re.findall(r"`([^`]*)`", language))))
    assert {*OPERATORS} <= {word.split(".")[0] for word in named}
    assert {"not.or", "not.and", "or"} <= named
    assert set(LOGIC) == {"not.or", "not.and", "or", "and"}


def test_the_members_of_a_query_are_named() -> None:
    table = README.partition("| `Query` |")[2].partition("A `QueryError`")[0]
    public = {name for name in dir(Query) if not name.startswith("_")}
    fields = {"limit", "offset", "preferences"}
    assert set(re.findall(r"(?m)^\| `(\w+)", table)) | {"identifiers", "offset", "limited"} == (
        public - {"table", "outputs", "where", "order"} | fields
    )
