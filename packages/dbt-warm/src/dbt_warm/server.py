"""The warm process: it has dbt loaded and the project parsed, and forks a child for each request.

It has one thread and one child at a time. Over the socket whose descriptor is its first argument
it gets JSON lines: a request, with the descriptor of the child's channel, or {"kill": true}. Its
own only line says whether it can be used. When the other end goes away, it ends. Its other
arguments are dbt's, for parsing.
"""

import contextlib
import gc
import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from typing import TYPE_CHECKING, Any

from dbt_warm import child
from dbt_warm.events import NODE_EVENTS

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest


def prepare(arguments: Sequence[str]) -> "Manifest | None":
    """Do what is the same for every invocation; None if the project cannot be parsed.

    If dbt has changed inside, whatever this raises is told to the other end, which then runs dbt
    cold.
    """
    # Looking for garbage takes a seventh of the time of these imports. The children make little.
    gc.disable()
    import dbt.task.build  # noqa: PLC0415
    import dbt.task.docs.generate  # noqa: F401, PLC0415 (as the line above, for the children)
    from dbt.cli.main import dbtRunner  # noqa: PLC0415
    from dbt.contracts.graph.manifest import Manifest  # noqa: PLC0415
    from dbt_common.clients.jinja import template_cache  # noqa: PLC0415

    _skip_unread_events()
    # The static parser starts threads, which a fork would not have, and would wait for.
    # What writes the manifest is compiled when it is first used, in each child if not here.
    parse = ["parse", "--no-static-parser", *arguments, *child.QUIET]
    manifest = dbtRunner().invoke(parse).result
    if isinstance(manifest, Manifest):
        for macro in manifest.macros.values():
            template_cache.get_node_template(macro)
    else:
        manifest = None  # The invocation itself says what is wrong.
    gc.collect()
    gc.freeze()  # The children neither look at what is there now, nor copy it.
    return manifest


def _skip_unread_events() -> None:
    """Spare dbt the messages of debug events that nobody reads, thousands of them in a run."""
    from dbt_common.events.base_types import EventLevel  # noqa: PLC0415
    from dbt_common.events.event_manager import EventManager  # noqa: PLC0415
    from dbt_common.events.event_manager_client import ctx_set_event_manager  # noqa: PLC0415

    class QuietEventManager(EventManager):
        def fire_event(self, e: Any, level: Any = None, *rest: Any, **options: Any) -> None:
            is_debug = (level or e.level_tag()) is EventLevel.DEBUG
            if self.loggers or not is_debug or type(e).__name__ in NODE_EVENTS:
                super().fire_event(e, level, *rest, **options)

    ctx_set_event_manager(QuietEventManager())


class Server:
    """The process's loop."""

    def __init__(self, control: socket.socket, manifest: "Manifest | None") -> None:
        self._control, self._manifest = control, manifest
        self._child: ForkProcess | None = None

    def run(self) -> None:
        """Serve until the other end goes away."""
        while self._serve_once():
            pass

    def _serve_once(self) -> bool:
        watched: list[socket.socket | int] = [self._control]
        if self._child:
            watched.append(self._child.sentinel)
        if self._control not in wait(watched):
            self._join_child()
            return True
        data, descriptors = _receive(self._control)
        for line in data.splitlines():
            self._obey(json.loads(line), descriptors)
        return bool(data)  # The other end of the child's channel is gone too then, and it ends.

    def _obey(self, message: dict[str, Any], descriptors: list[int]) -> None:
        if "request" in message:
            self._join_child()
            self._start_child(message, descriptors.pop())
        elif self._child is not None:
            self._child.kill()

    def _start_child(self, message: dict[str, Any], descriptor: int) -> None:
        self._child = ForkProcess(target=self._be_child, args=(message, descriptor))
        self._child.start()
        os.close(descriptor)

    def _be_child(self, message: dict[str, Any], descriptor: int) -> None:
        self._control.close()
        os.setpgid(0, 0)
        manifest = self._manifest if message["is_unchanged"] else None
        request = child.Request(**message["request"])
        child.run(request, socket.socket(fileno=descriptor), manifest)

    def _join_child(self) -> None:
        if self._child is not None:
            # Nobody listens to it any more, and whoever has sent the next request waits.
            self._child.join(child.ORPHAN_SECONDS + 1)
            self._child.kill()
            self._child.join()
            self._child.close()
            self._child = None


def _receive(control: socket.socket) -> tuple[bytes, list[int]]:
    """Whole lines, and the descriptor that came with one; nothing at the end."""
    data, descriptors, _, _ = socket.recv_fds(control, 65536, 1)
    while data and not data.endswith(b"\n"):
        data += control.recv(65536)
    return data, descriptors


def main() -> None:
    """Prepare, say so, and serve."""
    # It ends with the other end, also if signals are sent to all processes at once.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    control = socket.socket(fileno=int(sys.argv[1]))
    try:
        manifest = prepare(sys.argv[2:])
        answer = {}
    except Exception as error:  # Whatever it is, the other end can do without us.
        traceback.print_exc()
        answer = {"problem": f"{type(error).__name__}: {error}"}
    with contextlib.suppress(ConnectionError):  # The other end is gone.
        control.sendall(json.dumps(answer).encode() + b"\n")
        if not answer:
            Server(control, manifest).run()


if __name__ == "__main__":
    main()
