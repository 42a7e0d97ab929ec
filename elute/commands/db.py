"""`elute db`: Elute's own PostgreSQL, by hand."""

from postgres_here import HOST, Running, Server

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
        return {"start": _start, "stop": _stop, "status": _status}[action](server)


def _start(server: Server) -> int:
    print(_description(server, server.start()))
    return 0


def _stop(server: Server) -> int:
    print("PostgreSQL has stopped." if server.stop() else "PostgreSQL was not running.")
    return 0


def _status(server: Server) -> int:
    running = server.running()
    if running is None:
        print(f"PostgreSQL is not running, or not ready yet. Its data is in {server.data}.")
        return NOT_RUNNING
    print(_description(server, running))
    return 0


def _description(server: Server, running: Running) -> str:
    return (
        f"PostgreSQL is running on {HOST}, port {running.port} (process {running.pid}). "
        f"Its data is in {server.data}."
    )
