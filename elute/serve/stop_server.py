"""Stops Elute's own PostgreSQL when `elute serve` has ended, however that has ended.

    python -m elute.serve.stop_server DESCRIPTOR

Standard input ends with `elute serve`; the pipe of that descriptor ends with the last of its other
children, who may have something to write down until then. The signals to stop are blocked from its
first moment on, for they may be sent to all processes at once.
"""

import os
import select
import sys

from elute.database.own_server import own_server
from elute.errors import EluteError
from elute.settings import Settings

_OTHERS_SECONDS = 8.0


def main() -> None:
    """Wait for the end, and stop the server."""
    os.read(0, 1)
    select.select([int(sys.argv[1])], [], [], _OTHERS_SECONDS)
    try:
        stop(Settings.from_environment())
    except EluteError as error:
        sys.exit(f"elute: {error}")


def stop(settings: Settings) -> None:
    """Stop the server."""
    with own_server(settings) as server:
        server.stop()


if __name__ == "__main__":
    main()
