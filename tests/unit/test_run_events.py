"""What a run keeps of what dbt says."""

from types import SimpleNamespace
from typing import Any

import pytest

from elute.worker.events import Happening, Translator

FAILURE = (
    "Database Error in model users (models/users.sql)\n  division by zero\n"
    "  \x1b[31mcompiled code at /home/someone/elute/run/users.sql\x1b[0m"
)
NODE = SimpleNamespace(
    unique_id="model.elute.users", node_name="users", resource_type="model", materialized="table"
)


def kept(name: str, message: str, **data: Any) -> list[dict[str, Any]]:
    """The data of what is kept of one event."""
    told: list[Happening] = []
    info = SimpleNamespace(name=name, level="error", msg=message)
    event: Any = SimpleNamespace(info=info, data=SimpleNamespace(**data))
    Translator(told.append, secret="secret-word")(event)
    return [data for _, _, data in told]


def test_no_path_of_this_machine_is_kept() -> None:
    [log] = kept("RunResultError", FAILURE)
    assert log["message"].splitlines() == FAILURE.splitlines()[:2]
    assert kept("SQLCompiledPath", "  compiled code at /home/someone/elute/run/users.sql") == []
    result = SimpleNamespace(
        status="error", execution_time=0.1, message=FAILURE, adapter_response={}
    )
    [node] = kept("NodeFinished", "", node_info=NODE, run_result=result)
    assert "division by zero" in node["message"]
    assert "/home" not in node["message"]


def test_no_secret_is_kept() -> None:
    [log] = kept("Note", "password secret-word\0 refused")
    assert log["message"] == "password *** refused"


def test_dbt_goes_on_when_nobody_listens_any_more(caplog: pytest.LogCaptureFixture) -> None:
    def closed(_: Happening) -> None:
        raise BrokenPipeError

    translate = Translator(closed)
    event: Any = SimpleNamespace(info=SimpleNamespace(name="Note", level="info", msg="working"))
    for _ in range(3):
        translate(event)
    assert len(caplog.records) == 1
