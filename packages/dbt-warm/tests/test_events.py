"""What is told of what dbt says."""

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from dbt_warm.events import Event, Listener

FAILURE = (
    "Database Error in model users (models/users.sql)\n  division by zero\n"
    "  \x1b[31mcompiled code at /home/someone/project/run/users.sql\x1b[0m"
)
NODE = SimpleNamespace(
    unique_id="model.shop.users", node_name="users", resource_type="model", materialized="table"
)


def dbt_event(name: str, message: str, **data: Any) -> Any:
    info = SimpleNamespace(name=name, level="error", msg=message, invocation_id="1")
    return SimpleNamespace(info=info, data=SimpleNamespace(**data))


def told(name: str, message: str, **data: Any) -> list[dict[str, Any]]:
    """The data of what is told of one event."""
    events: list[Event] = []
    Listener(events.append, ["secret-word"])(dbt_event(name, message, **data))
    return [event.data for event in events]


def test_no_path_of_this_machine_is_told() -> None:
    [log] = told("RunResultError", FAILURE)
    assert log["message"].splitlines() == FAILURE.splitlines()[:2]
    assert told("SQLCompiledPath", "  compiled code at /home/someone/project/run/users.sql") == []
    result = SimpleNamespace(
        status="error", execution_time=0.1, message=FAILURE, adapter_response={}
    )
    [node] = told("NodeFinished", "", node_info=NODE, run_result=result)
    assert "division by zero" in node["message"]
    assert "/home" not in node["message"]


def test_no_secret_is_told() -> None:
    [log] = told("Note", "password secret-word\0 refused")
    assert log["message"] == "password *** refused"


def test_nothing_is_raised_whatever_dbt_says(caplog: pytest.LogCaptureFixture) -> None:
    events: list[Event] = []
    listener = Listener(events.append)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            listener(dbt_event("NodeFinished", "", node_info=NODE))
        listener(dbt_event("Note", "told all the same"))
    assert [event.data["message"] for event in events] == ["told all the same"]
    assert len(caplog.records) == 1


def test_a_total_that_was_wrong_is_corrected() -> None:
    events: list[Event] = []
    listener = Listener(events.append)
    listener(dbt_event("LogStartLine", "1 of 3 START", total=3))
    listener(dbt_event("NodeStart", "", node_info=NODE))
    listener.correct_total()
    totals = [event.data["node_count"] for event in events if event.kind == "nodes"]
    assert totals == [3, 1]
