"""What dbt does over and over for the same result, done once or not at all, in warm dbt only.

Together these halve a run's work in Python; benchmarks/README.md has the figures. Each replaces
something within dbt-core by what comes to the same. One that no
longer fits is left out: dbt is only slower then.
"""

import functools
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

_EVENTS_KEPT = frozenset({"NodeStart", "NodeFinished"})  # the debug events that we listen to
logger = logging.getLogger("elute.worker")


def take_shortcuts() -> None:
    """Apply all that fit."""
    for take in (_debug_events, _templates, _date_parsers):
        _take(take)


def compile_models(manifest: "Manifest") -> None:
    """Compile the template of every node, for `_templates` to remember."""
    from dbt_common.clients.jinja import get_template  # noqa: PLC0415

    for node in manifest.nodes.values():
        if node.raw_code:
            get_template(node.raw_code, {}, node)


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


def _templates() -> None:
    """Compile the same template once."""
    from dbt_common.clients.jinja import MacroFuzzEnvironment  # noqa: PLC0415

    compile_anew: Callable[..., Any] = MacroFuzzEnvironment.compile
    compiled: dict[Any, Any] = {}

    def compile_once(environment: Any, source: Any, *more: Any, **options: Any) -> Any:
        if more or options or not isinstance(source, str):
            return compile_anew(environment, source, *more, **options)
        key = (type(environment), tuple(environment.extensions), source)
        if key not in compiled:
            compiled[key] = compile_anew(environment, source)
        return compiled[key]

    _replace(MacroFuzzEnvironment, "compile", compile_once)


def _date_parsers() -> None:
    """Let agate share what its parsers of dates know of a language; it asks for each result."""
    import parsedatetime  # type: ignore[import-untyped] # noqa: PLC0415

    _replace(parsedatetime, "Constants", functools.cache(parsedatetime.Constants))
