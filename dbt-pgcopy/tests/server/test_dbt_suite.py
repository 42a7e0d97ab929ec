"""dbt's own tests for adapters: every class of them, less what PostgreSQL has not."""

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import dbt.tests.adapter

LEFT_OUT: dict[str, str] = {}


def suite() -> Iterator[type]:
    """Every class of dbt.tests.adapter that has tests, in a fixed order."""
    root = Path(next(iter(dbt.tests.adapter.__path__)))
    # Not pkgutil, which passes over the folders that have no __init__.py.
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        module = importlib.import_module(".".join(("dbt.tests.adapter", *parts)))
        for name, member in inspect.getmembers(module, inspect.isclass):
            own = member.__module__ == module.__name__ and not name.startswith(("Test", "_"))
            if own and any(attribute.startswith("test_") for attribute in dir(member)):
                yield member


for base in suite():
    if base.__name__ not in LEFT_OUT:
        vars()[f"Test{base.__name__}"] = type(f"Test{base.__name__}", (base,), {})
del base
