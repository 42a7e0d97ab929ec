"""Stops Elute's own PostgreSQL when `elute serve` has ended, however that has ended.

    python -m elute.serve.stop_server DESCRIPTOR

Standard input ends with `elute serve`; the pipe of that descriptor ends with the last of its other
children, who may have something to write down until then.
"""

import os
import select
import signal
import sys

from elute.database.own_server import own_server
from elute.settings import Settings

_OTHERS_SECONDS = 8.0


def main() -> None:
    """Wait for the end, and stop the server."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.read(0, 1)
    select.select([int(sys.argv[1])], [], [], _OTHERS_SECONDS)
    with own_server(Settings.from_environment()) as server:
        server.stop()


if __name__ == "__main__":
    main()
