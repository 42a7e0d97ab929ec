"""`elute db`: Elute's own PostgreSQL, by hand."""

from postgres_here import HOST

from elute.database.own_server import own_server
from elute.database.server import is_embedded
from elute.errors import EluteError
from elute.settings import Settings

NOT_RUNNING = 3  # The exit status that pg_ctl and systemctl give.


def run(settings: Settings, action: str) -> int:
    """Start or stop the server, or say how it is.

    Returns:
        0; NOT_RUNNING if asked for the status of a server that does not run.

    Raises:
        EluteError: PGHOST names another server, or the action failed.
    """
    if not is_embedded(settings):
        raise EluteError(
            f"PGHOST is {settings.host}: Elute uses that server and runs none of its own. "
            "Unset PGHOST to use Elute's own."
        )
    with own_server(settings) as server:
        if action == "stop":
            print("PostgreSQL has stopped." if server.stop() else "PostgreSQL was not running.")
            return 0
        running = server.start() if action == "start" else server.running()
    if running is None:
        print(f"PostgreSQL is not running, or not ready yet. Its data is in {server.data}.")
        return NOT_RUNNING
    print(
        f"PostgreSQL is running on {HOST}, port {running.port} (process {running.pid}). "
        f"Its data is in {server.data}."
    )
    return 0
