"""The process in which one invocation of dbt runs: forked from warm dbt, or started cold.

It is sent a job and a socket. Over the socket go JSON lines: what happens, and at last the
outcome. If the other end says "stop" or goes away, dbt is interrupted as by Ctrl-C.
"""

import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from elute.dbt_run import Outcome, run_dbt
from elute.worker.events import Happening, Translator

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

STOP = b"s"
QUIET = ("--log-level", "none", "--log-level-file", "none", "--no-use-colors")
_GRACE = 10.0  # seconds that dbt has to end by itself once nobody listens any more


@dataclass(frozen=True)
class Job:
    """One invocation of dbt.

    Attributes:
        arguments: as on dbt's command line.
        environment: all the environment variables that it gets.
        niceness: how much others go first, 0 to 19.
    """

    arguments: list[str]
    environment: dict[str, str]
    niceness: int = 0

    def as_json(self) -> dict[str, Any]:
        """All of it, for `Job(**fields)`."""
        return asdict(self)


def run(job: Job, channel: socket.socket, manifest: "Manifest | None" = None) -> None:
    """Run dbt as the job says, and tell over the channel how it went."""
    is_over = threading.Event()
    _set_up(job, channel, is_over)
    teller = _Teller(channel)
    outcome = _invoke(job, teller, manifest)
    is_over.set()
    teller.send({"outcome": outcome.as_json()})
    channel.shutdown(socket.SHUT_RDWR)  # It is over for the worker now, not after our clean-up.


def _set_up(job: Job, channel: socket.socket, is_over: threading.Event) -> None:
    os.environ.clear()
    os.environ.update(job.environment)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    if job.niceness:
        os.nice(job.niceness)
    threading.Thread(target=_obey, args=(channel, is_over), daemon=True).start()


def _obey(channel: socket.socket, is_over: threading.Event) -> None:
    """Wait for the word to stop."""
    try:
        is_alone = channel.recv(1) != STOP
    except OSError:
        is_alone = True
    if is_over.is_set():
        return
    os.kill(os.getpid(), signal.SIGINT)
    if is_alone and not is_over.wait(_GRACE):
        os._exit(1)


def _invoke(job: Job, tell: "_Teller", manifest: "Manifest | None") -> Outcome:
    listen = Translator(tell.happening, secret=job.environment.get("PGPASSWORD", ""))
    try:
        return run_dbt([*job.arguments, *QUIET], manifest, listen)
    except KeyboardInterrupt:  # before or after dbt itself
        return Outcome(interrupted=True)


class _Teller:
    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel

    def happening(self, happening: Happening) -> None:
        moment, kind, data = happening
        self.send({"at": moment.isoformat(), "kind": kind, "data": data})

    def send(self, message: Mapping[str, Any]) -> None:
        self._channel.sendall(json.dumps(message, default=str).encode() + b"\n")


def read_happening(message: Mapping[str, Any]) -> Happening:
    """What `_Teller.happening` sent."""
    return datetime.fromisoformat(message["at"]), message["kind"], message["data"]


def main() -> None:
    """Run the job on standard input, over the socket whose descriptor is the only argument."""
    job = Job(**json.load(sys.stdin))
    run(job, socket.socket(fileno=int(sys.argv[1])))


if __name__ == "__main__":
    main()
