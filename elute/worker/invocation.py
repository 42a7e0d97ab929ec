"""The worker's end of one invocation of dbt that goes on in a child process."""

import contextlib
import json
import socket
from collections.abc import Callable
from typing import Any

from elute.worker.child import STOP


class Invocation:
    """What a child does, as it tells; see `elute.worker.child`.

    Attributes:
        is_warm: dbt was already loaded.
        has_ended: the child is done, or dead.
    """

    def __init__(
        self,
        channel: socket.socket,
        kill: Callable[[], None],
        give_up: Callable[[], None] | None = None,
        *,
        is_warm: bool,
    ) -> None:
        channel.setblocking(False)
        self._channel, self._kill, self._give_up = channel, kill, give_up or kill
        self.is_warm = is_warm
        self.has_ended = False
        self._rest = b""

    def fileno(self) -> int:
        """For `select`: readable when there is something to read."""
        return self._channel.fileno()

    def messages(self) -> list[dict[str, Any]]:
        """What the child has told since the last time; does not wait."""
        data = self._rest + self._received()
        *lines, self._rest = data.split(b"\n")
        return [json.loads(line) for line in lines]

    def interrupt(self) -> None:
        """Let dbt stop as by Ctrl-C: it cancels its queries first."""
        with contextlib.suppress(OSError):
            self._channel.send(STOP)

    def kill(self) -> None:
        """End the child at once."""
        self._kill()

    def give_up(self) -> None:
        """End also the process that would have to end the child, and wait for neither."""
        self._give_up()
        self.close()

    def close(self) -> None:
        """Listen no more. A child that is still there ends by itself."""
        self.has_ended = True
        self._channel.close()

    def _received(self) -> bytes:
        chunks = []
        try:
            while chunk := self._channel.recv(65536):
                chunks.append(chunk)
            self.has_ended = True
        except BlockingIOError:
            pass
        except OSError:
            self.has_ended = True
        return b"".join(chunks)
