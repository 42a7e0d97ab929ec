"""The worker's end of warm dbt."""

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Mapping

from elute.settings import CHECKOUT
from elute.worker.child import Job
from elute.worker.invocation import Invocation

_PREPARE_SECONDS = 120.0
_END_SECONDS = 1.0
# What multiprocessing says when a process was killed; it tidies up all the same.
_QUIET = ("-W", "ignore::UserWarning:multiprocessing.resource_tracker")


class WarmDbt:
    """The worker's end of one process of `elute.worker.warm`.

    Attributes:
        signature: of the project as it was parsed; None until it is ready.
        reason: why it cannot be used; None if it can, or may yet.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._control, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            [sys.executable, *_QUIET, "-m", "elute.worker.warm", str(theirs.fileno())],
            env=python_environment(environment),
            cwd=CHECKOUT,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        self._deadline = time.monotonic() + _PREPARE_SECONDS
        self.signature: str | None = None
        self.reason: str | None = None

    def fileno(self) -> int:
        """For `select`: readable when it is ready, or gone."""
        return self._control.fileno()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def is_settled(self) -> bool:
        """Whether it is known if it can be used."""
        return bool(self.signature or self.reason)

    @property
    def is_gone(self) -> bool:
        """Whether it was ready, and its process has ended since."""
        return self.signature is not None and self._process.poll() is not None

    def look(self) -> None:
        """Find out, without waiting, whether it has become ready or unusable."""
        if self.is_settled:
            return
        if select.select([self._control], [], [], 0)[0]:
            line = self._control.recv(65536)
            message = json.loads(line) if line else {"broken": "its process ended"}
            self.signature = message.get("ready")
            self.reason = message.get("broken")
        elif time.monotonic() > self._deadline:
            self.reason = f"it was not ready after {_PREPARE_SECONDS:.0f} seconds"

    def start(self, job: Job) -> Invocation:
        """Fork a child for the job.

        Raises:
            OSError: the process is gone.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            line = json.dumps({"job": job.as_json()}).encode() + b"\n"
            socket.send_fds(self._control, [line], [theirs.fileno()])
        return Invocation(ours, self._kill_child, self._give_up, is_warm=True)

    def stop(self) -> None:
        """End it; a child that is still at work ends by itself."""
        self._control.close()
        try:
            self._process.wait(_END_SECONDS if self.signature else 0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _give_up(self) -> None:
        self.reason = "it did not end a run that it was told to end"
        self._process.kill()

    def _kill_child(self) -> None:
        with contextlib.suppress(OSError):
            self._control.sendall(b'{"kill": true}\n')


def python_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Our environment with these variables, in which another Python finds this very code."""
    path = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        **environment,
        "PYTHONPATH": os.pathsep.join([str(CHECKOUT), *([path] if path else [])]),
    }
