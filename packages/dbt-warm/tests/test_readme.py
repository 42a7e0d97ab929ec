"""What the README says is true."""

import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import dbt_warm
from dbt_warm.runner import Status

README = Path(__file__).parents[1].joinpath("README.md").read_text(encoding="utf-8")


def test_the_example_runs(project: Any) -> None:
    [example] = re.findall(r"(?s)```python\n(.*?)```", README)
    printed = subprocess.run(
        [sys.executable, "-c", example],
        check=True,
        capture_output=True,
        text=True,
        cwd=project.folder.parent,
        env=project.environment,
        timeout=120,
    ).stdout.splitlines()
    assert printed[0] == "1 orders success"
    assert sorted(line.split()[1] for line in printed[:-1]) == [
        "not_null_revenue_revenue",
        "orders",
        "revenue",
        "test_amounts_are_added_up",
        "test_nothing_paid_is_null",
    ]
    assert printed[-1] == "succeeded"


def test_all_of_the_door_is_named() -> None:
    words = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]*)`", README))))
    for name in dbt_warm.__all__:
        item = getattr(dbt_warm, name)
        public = [member for member in dir(item) if not member.startswith("_")]
        if name in ("WarmDbt", "Invocation"):
            assert words >= {name, *public}
    for function in (dbt_warm.WarmDbt, dbt_warm.WarmDbt.invoke, dbt_warm.Invocation.cancel):
        assert words >= {*inspect.signature(function).parameters} - {"self"}
    assert words >= {*get_args(Status)}
