"""Waiting for whatever comes first, the word to stop among it."""

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Waiter:
    """Wakes up early when the process is told to stop.

    It is, by SIGTERM or SIGINT, or by the end of whoever holds the other end of a pipe.

    Args:
        lifeline: descriptor of that pipe; None if there is none.
    """

    def __init__(self, lifeline: int | None = None) -> None:
        self._woken, self._wake = os.pipe()
        self._lifeline = lifeline
        self.is_stopping = self._breaks_off = False

    def listen(self) -> None:
        """Take the signals; for the main thread."""
        for number in STOPPING:
            signal.signal(number, self._take)

    @contextmanager
    def breaking_off(self) -> Iterator[None]:
        """Have the first signal break off, by KeyboardInterrupt, what may take long."""
        self._breaks_off = True
        try:
            if self.is_stopping:
                raise KeyboardInterrupt
            yield
        finally:
            self._breaks_off = False

    def _take(self, *_: object) -> None:
        is_first = not self.is_stopping
        self.stop()
        if is_first and self._breaks_off:
            raise KeyboardInterrupt

    def stop(self) -> None:
        """Say that it is time to stop; from any thread or signal handler."""
        self.is_stopping = True
        os.write(self._wake, b"x")

    def wait(self, seconds: float, *others: Any) -> None:
        """Wait until one of the others can be read, or it is time to stop, or so long."""
        own = [] if self.is_stopping else [self._woken]
        if self._lifeline is not None and not self.is_stopping:
            own.append(self._lifeline)
        ready, _, _ = select.select([*own, *others], [], [], max(0.0, seconds))
        if self._woken in ready or self._lifeline in ready:
            self.is_stopping = True
