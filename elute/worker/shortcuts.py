"""What dbt does for nothing, not done in warm dbt.

It replaces something within dbt-core by what comes to the same. If that no longer fits it is left
out: dbt is only slower then.
"""

import logging
from collections.abc import Callable
from typing import Any

_EVENTS_KEPT = frozenset({"NodeStart", "NodeFinished"})  # the debug events that we listen to
logger = logging.getLogger("elute.worker")


def take_shortcuts() -> None:
    """Apply all that fit."""
    _take(_debug_events)


def _take(shortcut: Callable[[], None]) -> None:
    try:
        shortcut()
    except (ImportError, AttributeError) as error:
        logger.warning("dbt has changed: %s does not fit any more (%s).", shortcut.__name__, error)


def _replace(owner: Any, name: str, value: Any) -> None:
    """Put `value` in the place of something that has to be there."""
    getattr(owner, name)
    setattr(owner, name, value)


def _debug_events() -> None:
    """Debug events are thrown away unread: make them, field by field, only if somebody looks."""
    from dbt_common.events.base_types import BaseEvent, DebugLevel, EventLevel  # noqa: PLC0415
    from dbt_common.events.event_manager import EventManager  # noqa: PLC0415

    make, fire = BaseEvent.__init__, EventManager.fire_event

    def remember(event: Any, *values: Any, **fields: Any) -> None:
        event.__dict__["remembered"] = (values, fields)

    def message(event: Any) -> Any:
        if "made" not in event.__dict__:
            values, fields = event.__dict__["remembered"]
            make(event, *values, **fields)
        return event.__dict__["made"]

    def note(event: Any, made: Any) -> None:
        event.__dict__["made"] = made

    def fire_if_heard(manager: Any, e: Any, level: Any = None, *rest: Any, **options: Any) -> None:
        is_debug = (level or e.level_tag()) is EventLevel.DEBUG
        if manager.loggers or not is_debug or type(e).__name__ in _EVENTS_KEPT:
            fire(manager, e, level, *rest, **options)

    _replace(DebugLevel, "__init__", remember)
    DebugLevel.pb_msg = property(message, note)
    _replace(EventManager, "fire_event", fire_if_heard)
