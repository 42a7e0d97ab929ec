"""Warm dbt: a process that has dbt imported and the project parsed, and forks a child for each job.

It has one thread and runs one child at a time. It is told what to do over the socket given as its
only argument, in JSON lines: {"job": …} with the descriptor of the child's channel, or
{"kill": true}. Its first line says whether it is ready. When the other end of the socket goes away,
it ends.
"""

import gc
import json
import os
import signal
import socket
import sys
import traceback
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from typing import TYPE_CHECKING, Any

from elute.settings import CHECKOUT
from elute.worker import child, shortcuts
from elute.worker.signature import project_signature

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest


def prepare() -> "Manifest | None":
    """Do all that is the same for every run; None if the project cannot be parsed.

    The names below are dbt's internals. If they have moved, whatever this raises is told to the
    worker, which then runs dbt cold.
    """
    from dbt.adapters import pgcopy, postgres  # noqa: F401, PLC0415
    from dbt.cli.main import dbtRunner  # noqa: PLC0415
    from dbt.contracts.graph.manifest import Manifest  # noqa: PLC0415
    from dbt_common.clients.jinja import template_cache  # noqa: PLC0415

    shortcuts.take_shortcuts()
    # The static parser starts threads, which a fork would miss and wait for.
    manifest = dbtRunner().invoke(["parse", "--no-static-parser", *child.QUIET]).result
    if isinstance(manifest, Manifest):
        for macro in manifest.macros.values():
            template_cache.get_node_template(macro)
    else:
        manifest = None  # The run itself says what is wrong.
    gc.collect()
    gc.freeze()  # What is there now is not looked at again, nor copied in the children.
    return manifest


class WarmServer:
    """The process's loop."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._child: ForkProcess | None = None
        self._manifest: Manifest | None = None
        self._signature = ""

    def run(self) -> None:
        """Prepare, say so, and serve until the worker goes away."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._signature = project_signature(CHECKOUT)
        try:
            self._manifest = prepare()
        except Exception as error:  # Whatever it is, the worker can do without.
            traceback.print_exc()
            self._tell({"broken": f"{type(error).__name__}: {error}"})
            return
        self._tell({"ready": self._signature})
        while self._serve_once():
            pass

    def _serve_once(self) -> bool:
        watched: list[socket.socket | int] = [self._control]
        if self._child:
            watched.append(self._child.sentinel)
        if self._control not in wait(watched):
            self._end_child()
            return True
        data, descriptors = _receive(self._control)
        for line in data.splitlines():
            self._obey(json.loads(line), descriptors)
        return bool(data)  # At the end, the child's own channel is closed too, and it ends.

    def _obey(self, message: dict[str, Any], descriptors: list[int]) -> None:
        if "job" in message:
            self._end_child()
            self._start_child(child.Job(**message["job"]), descriptors.pop())
        elif self._child is not None:
            self._child.kill()

    def _start_child(self, job: child.Job, descriptor: int) -> None:
        self._child = ForkProcess(target=self._be_child, args=(job, descriptor))
        self._child.start()
        os.close(descriptor)

    def _be_child(self, job: child.Job, descriptor: int) -> None:
        self._control.close()
        os.setpgid(0, 0)
        # A project that has changed since is parsed anew: partially, which takes a moment.
        is_same = project_signature(CHECKOUT) == self._signature
        child.run(job, socket.socket(fileno=descriptor), self._manifest if is_same else None)

    def _end_child(self) -> None:
        if self._child is not None:
            self._child.join()
            self._child.close()
            self._child = None

    def _tell(self, message: dict[str, str]) -> None:
        self._control.sendall(json.dumps(message).encode() + b"\n")


def _receive(control: socket.socket) -> tuple[bytes, list[int]]:
    """One whole line, and the descriptors that came with it; nothing at the end."""
    data, descriptors, _, _ = socket.recv_fds(control, 65536, 1)
    while data and not data.endswith(b"\n"):
        data += control.recv(65536)
    return data, descriptors


def main() -> None:
    """Serve over the socket whose descriptor is the only argument."""
    WarmServer(socket.socket(fileno=int(sys.argv[1]))).run()


if __name__ == "__main__":
    main()
