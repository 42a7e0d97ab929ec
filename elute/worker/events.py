"""dbt's own events as the events of a run; see `elute.runs.run.Event` for their kinds."""

import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dbt_common.events.base_types import EventMsg

Happening = tuple[datetime, str, dict[str, Any]]  # when, kind, data
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_COMPILED = re.compile(r"^\s*compiled code at .*\n?", re.MULTILINE)  # where on this machine
_SHORTEST_SECRET = 4  # Anything shorter is part of other words.
_SHOWN = frozenset({"info", "warn", "error"})
logger = logging.getLogger("elute.worker")


def now() -> datetime:
    """This moment."""
    return datetime.now(timezone.utc)


class Translator:
    """Called by dbt with each of its events; passes on those that a run keeps.

    dbt calls it from all its threads, thousands of times a run.

    Args:
        tell: what to do with them; called by one thread at a time.
        secret: a text that no event may hold, such as the database's password.
    """

    def __init__(self, tell: Callable[[Happening], None], secret: str = "") -> None:
        self._tell = tell
        self._secret = secret if len(secret) >= _SHORTEST_SECRET else ""
        self._positions: dict[str, int] = {}
        self._has_total = self._has_failed = False
        self._lock = threading.Lock()

    def __call__(self, event: "EventMsg") -> None:
        """Pass this event on, if a run keeps it. Raises nothing: dbt would end, mid-query."""
        try:
            self._pass_on(event)
        except Exception as error:
            if not self._has_failed:
                self._has_failed = True
                logger.warning("The run tells no more of some of dbt's events.", exc_info=error)

    def _pass_on(self, event: "EventMsg") -> None:
        name, level = event.info.name, event.info.level
        if name in ("NodeStart", "NodeFinished") or level in _SHOWN:
            moment = now()
            with self._lock:
                for kind, data in self._translated(event, name, level):
                    self._tell((moment, kind, data))

    def _translated(
        self, event: Any, name: str, level: str
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        if name in ("NodeStart", "NodeFinished") and _is_uncounted(event.data.node_info):
            return
        if name == "NodeStart":
            yield "node_started", self._node(event.data.node_info)
        elif name == "NodeFinished":
            result = event.data.run_result
            yield "node_finished", {**self._node(event.data.node_info), **self._result(result)}
        else:
            if name == "LogStartLine" and not self._has_total:
                self._has_total = True
                yield "nodes", {"node_count": event.data.total}
            message = self._clean(event.info.msg).strip("\n")
            if message.strip():
                yield "log", {"level": level, "message": message}

    def _node(self, node: Any) -> dict[str, Any]:
        # A node that is skipped ends without having started.
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
            "message": self._clean(result.message) or None,
            "rows": _rows(result.adapter_response),
        }

    def _clean(self, text: str) -> str:
        text = _COMPILED.sub("", storable(_COLOURS.sub("", text)))
        return text.replace(self._secret, "***") if self._secret else text


def storable(text: str) -> str:
    """The text without what PostgreSQL's text cannot hold: NUL, and halves of characters."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def _is_uncounted(node: Any) -> bool:
    """Whether a node is none of those that dbt counts: a part of other models, or a hook."""
    return bool(node.materialized == "ephemeral" or node.resource_type == "operation")


def _rows(response: Mapping[str, Any]) -> int | None:
    """How many rows a statement wrote; None where it says nothing or wrote none."""
    # A protobuf struct: what is missing cannot be asked for, and numbers are floats.
    written = response["rows_affected"] if "rows_affected" in response else None  # noqa: SIM401
    return int(written) if written is not None and written >= 0 else None
