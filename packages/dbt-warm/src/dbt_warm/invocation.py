"""The caller's end of an invocation that goes on in a child process."""

import contextlib
import json
import select
import socket
import time
from collections.abc import Callable, Iterator
from datetime import datetime

from dbt_warm.child import CANCEL
from dbt_warm.events import Event
from dbt_warm.runner import Outcome

_KILL_SECONDS = 1.5  # that a kill has to take effect


class Invocation:
    """What a child does, as it tells. Iterate over it for its events as they come, until its end.

    A loop of your own waits for it with `select`, and then calls `read`.

    Attributes:
        is_warm: dbt was already loaded.
        outcome: how it ended; None before that.
    """

    def __init__(
        self,
        channel: socket.socket,
        kill: Callable[[], None],
        abandon: Callable[[], None] | None = None,
        *,
        is_warm: bool,
    ) -> None:
        channel.setblocking(False)
        self._channel, self._rest = channel, b""
        self._kill = kill
        # What is tried once it was cancelled, one after the other, until it ends.
        self._remedies = [kill, abandon or kill, self.close]
        self._try_next_at: float | None = None
        self.is_warm = is_warm
        self.outcome: Outcome | None = None

    def __iter__(self) -> Iterator[Event]:
        while self.outcome is None:
            select.select([self], [], [], self._seconds_left())
            yield from self.read()

    def fileno(self) -> int:
        """For `select`: readable when there is something to read."""
        return self._channel.fileno()

    def read(self) -> list[Event]:
        """The events since the last time; does not wait.

        Sets `outcome` at the end. Call it a few times a second after `cancel`.
        """
        if self.outcome is not None:
            return []
        has_ended = self._receive()
        *lines, self._rest = self._rest.split(b"\n")
        messages = [json.loads(line) for line in lines]
        for message in messages:
            if "outcome" in message:
                self.outcome = Outcome.from_json(message["outcome"])
        if has_ended or self.outcome is not None:
            self.close()
        elif self._seconds_left() == 0:
            self._remedies.pop(0)()
            self._try_next_at = time.monotonic() + _KILL_SECONDS
        events = [message["event"] for message in messages if "event" in message]
        return [Event(datetime.fromisoformat(at), kind, data) for at, kind, data in events]

    def cancel(self, seconds: float = 4.0) -> None:
        """Stop dbt as Ctrl-C does: it cancels its queries first. Does not wait for the end.

        Args:
            seconds: that dbt has for that before its process is killed.
        """
        if self._try_next_at is None:
            self._try_next_at = time.monotonic() + seconds
            with contextlib.suppress(OSError):
                self._channel.send(CANCEL)

    def kill(self) -> None:
        """End the child at once. What it has begun in the database ends by itself, or does not."""
        if self.outcome is None:
            self._kill()
            self.close()

    def close(self) -> None:
        """Listen no more. A child that is still there is interrupted, and ends."""
        self.outcome = self.outcome or Outcome("died")
        self._channel.close()

    def _seconds_left(self) -> float | None:
        if self._try_next_at is None:
            return None
        return max(0.0, self._try_next_at - time.monotonic())

    def _receive(self) -> bool:
        """Read what there is; whether that was the end."""
        try:
            while chunk := self._channel.recv(65536):
                self._rest += chunk
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True
