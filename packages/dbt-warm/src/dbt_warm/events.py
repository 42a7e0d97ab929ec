"""dbt's own events, as the few that a program shows or stores."""

import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from dbt_common.events.base_types import EventMsg

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_COMPILED = re.compile(r"^\s*compiled code at .*\n?", re.MULTILINE)  # a path of this machine
_SHORTEST_SECRET = 4  # Anything shorter is part of other words.
NODE_EVENTS = frozenset({"NodeStart", "NodeFinished"})
_LOGGED_LEVELS = frozenset({"info", "warn", "error"})
logger = logging.getLogger(__name__)


class Event(NamedTuple):
    """Something that happened in an invocation.

    `data` holds what JSON can hold. Kinds and their data:
        nodes: node_count; known once dbt has planned, and again if it was not right
        node_started: node (its unique id), name, resource_type, position (from 1)
        node_finished: the same, and status, seconds, message (or None), rows (or None)
        log: level ("info", "warn" or "error"), message
    """

    at: datetime
    kind: str
    data: dict[str, Any]


def clean(text: str, secrets: Sequence[str] = ()) -> str:
    """The text without secrets, colours, paths of compiled code, NUL and halves of characters."""
    text = _COMPILED.sub("", _COLOURS.sub("", text)).replace("\0", "")
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "***")
    return text.encode("utf-8", "replace").decode("utf-8")


class Listener:
    """A callback for dbt, which calls it from all its threads, thousands of times a run.

    What `on_event` raises ends nothing: dbt would end in the middle of its queries.

    Args:
        on_event: what to do with each event; called by one thread at a time.
        secrets: texts that no event may hold.

    Attributes:
        logged: what the project's own macros said with `log(…, info=true)`.
        invocation_id: dbt's; None until it has told of something.
    """

    def __init__(
        self, on_event: Callable[[Event], object] | None, secrets: Sequence[str] = ()
    ) -> None:
        self._on_event, self._secrets = on_event, secrets
        self._positions: dict[str, int] = {}
        self._total: int | None = None
        self._has_failed = self._is_interrupted = False
        self._lock = threading.Lock()
        self.logged: list[str] = []
        self.invocation_id: str | None = None

    def __call__(self, event: "EventMsg") -> None:
        """Pass an event of dbt's on, if it is one of ours."""
        self.raise_lost_interrupt()
        name, level = event.info.name, event.info.level
        self.invocation_id = event.info.invocation_id  # type: ignore[attr-defined]
        if name in NODE_EVENTS or level in _LOGGED_LEVELS:
            self._pass_on(lambda: self._translated(event, name, level))

    def note_interrupt(self) -> None:
        """Remember that KeyboardInterrupt is being raised in the main thread."""
        self._is_interrupted = True

    def raise_lost_interrupt(self) -> None:
        """Raise it once more if no node has begun.

        What reads a project catches anything (mashumaro's `except:`), and goes on or blames the
        project. Once nodes run, dbt itself sees to it.
        """
        if not self._is_interrupted or self._total is not None:
            return
        if threading.current_thread() is threading.main_thread():
            self._is_interrupted = False
            raise KeyboardInterrupt

    def correct_total(self) -> None:
        """After a whole run: make the last node the one that the total names.

        dbt 1.11 may add its unit tests to the total several times.
        """
        if self._total not in (None, len(self._positions)):
            self._pass_on(lambda: iter([("nodes", {"node_count": len(self._positions)})]))

    def _pass_on(self, translated: Callable[[], Iterator[tuple[str, dict[str, Any]]]]) -> None:
        try:
            with self._lock:
                for kind, data in translated():
                    if self._on_event:
                        self._on_event(Event(datetime.now(timezone.utc), kind, data))
        except Exception:
            if not self._has_failed:
                logger.exception("An event of dbt could not be passed on; others may follow.")
            self._has_failed = True

    def _translated(
        self, event: Any, name: str, level: str
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        if name in NODE_EVENTS:
            node = event.data.node_info
            if _is_uncounted(node):
                return
            if name == "NodeStart":
                yield "node_started", self._node(node)
            else:
                yield "node_finished", {**self._node(node), **self._result(event.data.run_result)}
            return
        if name == "LogStartLine" and self._total is None:
            self._total = event.data.total
            yield "nodes", {"node_count": self._total}
        message = clean(event.info.msg, self._secrets).strip("\n")
        if name == "JinjaLogInfo":
            self.logged.append(message)
        if message.strip():
            yield "log", {"level": level, "message": message}

    def _node(self, node: Any) -> dict[str, Any]:
        # A node that is skipped finishes without having started.
        position = self._positions.setdefault(node.unique_id, len(self._positions) + 1)
        return {
            "node": node.unique_id,
            "name": node.node_name,
            "resource_type": node.resource_type,
            "position": position,
        }

    def _result(self, result: Any) -> dict[str, Any]:
        return {
            "status": result.status,
            "seconds": round(result.execution_time, 4),
            "message": clean(result.message, self._secrets) or None,
            "rows": _rows(result.adapter_response),
        }


def _is_uncounted(node: Any) -> bool:
    """Whether a node is none of those that dbt counts: an ephemeral model, or a hook."""
    return bool(node.materialized == "ephemeral" or node.resource_type == "operation")


def _rows(response: Mapping[str, Any]) -> int | None:
    """How many rows a statement wrote; None if it does not say, or wrote none."""
    # A protobuf struct: it has no `get`, and its numbers are floats.
    written = response["rows_affected"] if "rows_affected" in response else None  # noqa: SIM401
    return int(written) if written is not None and written >= 0 else None
