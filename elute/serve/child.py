"""A process that `elute serve` keeps going."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

from elute.settings import CHECKOUT

_LONGEST_PAUSE = 30.0  # seconds until it is started again
_HEALTHY_AFTER = 30.0  # seconds that it has to live for its earlier ends to be forgotten


class Child:
    """Started again when it ends, after a pause that grows.

    Args:
        name: for people.
        arguments: of the Python that we are.
        lifeline: becomes its standard input, which ends when we do.
        inherited: other descriptors that it holds open.

    Attributes:
        ends: how many times in a row it has ended soon after its start.
    """

    def __init__(
        self, name: str, arguments: Sequence[str], lifeline: int, inherited: Sequence[int]
    ) -> None:
        self.name, self._arguments = name, arguments
        self._lifeline, self._inherited = lifeline, inherited
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = self._start_at = 0.0
        self.ends = 0

    def _start(self) -> None:
        self._started_at = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, *self._arguments],
            stdin=self._lifeline,
            pass_fds=self._inherited,
            # -m looks here first, and what is here may be called api too.
            cwd=CHECKOUT,
            # Ctrl-C in the terminal is for us, and not for each of them too.
            start_new_session=True,
        )

    def look_after(self) -> int | None:
        """Start it again if it has ended and its pause is over; its status if it has just ended."""
        if self._process is None:
            if time.monotonic() >= self._start_at:
                try:
                    self._start()
                except OSError as error:  # As when there is no memory for one more process.
                    print(
                        f"elute: no {self.name} can be started: {error.strerror}", file=sys.stderr
                    )
                    self._pause(self.ends + 1)
            return None
        status = self._process.poll()
        if status is None:
            return None
        self._process = None
        lived = time.monotonic() - self._started_at
        self._pause(1 if lived >= _HEALTHY_AFTER else self.ends + 1)
        return status

    def _pause(self, ends: int) -> None:
        self.ends = ends
        self._start_at = time.monotonic() + min(0.25 * 2 ** min(ends, 10), _LONGEST_PAUSE)

    def terminate(self) -> None:
        """Ask it to end."""
        if self._process is not None:
            self._process.terminate()

    def end(self, deadline: float) -> None:
        """Wait until it has ended; end it and those it started by force at the deadline."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process = None
