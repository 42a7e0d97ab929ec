"""The process in which one request is carried out: forked from the warm process, or started cold.

It is given a request and a channel, which is a socket. Into the channel go JSON lines: the events,
and at last the outcome. If the other end writes CANCEL or goes away, dbt is interrupted as by
Ctrl-C.
"""

import contextlib
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from dbt_warm.runner import Outcome, invoke

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

CANCEL = b"c"
QUIET = ("--log-level", "none", "--log-level-file", "none", "--no-use-colors")
ORPHAN_SECONDS = 10.0  # that dbt has to end by itself once nobody listens any more


@dataclass(frozen=True)
class Request:
    """What a child is asked to do.

    Attributes:
        arguments: as on dbt's command line.
        environment: all the environment variables that it gets.
        secrets: texts that no event and no outcome may hold.
        niceness: how much other processes go first, 0 to 19.
    """

    arguments: list[str]
    environment: dict[str, str]
    secrets: list[str]
    niceness: int = 0


def run(request: Request, channel: socket.socket, manifest: "Manifest | None" = None) -> None:
    """Carry the request out, and write into the channel how it goes."""
    has_ended = threading.Event()
    try:
        _set_up(request, channel, has_ended)
        outcome = invoke(
            [*request.arguments, *QUIET],
            on_event=lambda event: _send(channel, {"event": event}),
            secrets=request.secrets,
            manifest=manifest,
        )
        has_ended.set()
    except KeyboardInterrupt:  # before or after dbt itself
        has_ended.set()
        outcome = Outcome("interrupted")
    _send(channel, {"outcome": asdict(outcome)})
    with contextlib.suppress(OSError):
        channel.shutdown(socket.SHUT_RDWR)  # The reader is not to wait for this process's end.


def _set_up(request: Request, channel: socket.socket, has_ended: threading.Event) -> None:
    os.environ.clear()
    os.environ.update(request.environment)
    interrupts: list[int] = []

    def interrupt(number: int, _frame: object) -> None:
        # A second one would break off the cancelling of queries.
        if not interrupts and not has_ended.is_set():
            interrupts.append(number)
            raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    os.nice(request.niceness)
    threading.Thread(target=_wait_for_cancel, args=(channel, has_ended), daemon=True).start()


def _wait_for_cancel(channel: socket.socket, has_ended: threading.Event) -> None:
    try:
        is_orphan = channel.recv(1) != CANCEL
    except OSError:
        is_orphan = True
    if has_ended.is_set():
        return
    os.kill(os.getpid(), signal.SIGINT)
    if is_orphan and not has_ended.wait(ORPHAN_SECONDS):
        os._exit(1)


def _send(channel: socket.socket, message: Mapping[str, Any]) -> None:
    # If nobody listens any more, the other thread has dbt interrupted.
    with contextlib.suppress(OSError):
        channel.sendall(json.dumps(message, default=str).encode() + b"\n")


def main() -> None:
    """Carry out the request on standard input; the channel's descriptor is the only argument."""
    request = Request(**json.load(sys.stdin))
    run(request, socket.socket(fileno=int(sys.argv[1])))


if __name__ == "__main__":
    main()
