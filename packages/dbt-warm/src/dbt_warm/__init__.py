"""dbt kept loaded and parsed: an invocation is a child with events, cancel and an outcome."""

from dbt_warm.events import Event
from dbt_warm.invocation import Invocation
from dbt_warm.runner import Failure, Outcome, invoke, usage_error
from dbt_warm.warm import WarmDbt

__all__ = [
    "Event",
    "Failure",
    "Invocation",
    "Outcome",
    "WarmDbt",
    "invoke",
    "usage_error",
]
