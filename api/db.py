"""`elute db`: Elute's own PostgreSQL, by hand."""

from api.connection import is_embedded
from api.embedded import HOST, Cluster, Server
from api.errors import EluteError
from api.settings import Settings

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
    cluster = Cluster(settings)
    return {"start": _start, "stop": _stop, "status": _status}[action](cluster)


def _start(cluster: Cluster) -> int:
    print(_description(cluster, cluster.start()))
    return 0


def _stop(cluster: Cluster) -> int:
    print("PostgreSQL has stopped." if cluster.stop() else "PostgreSQL was not running.")
    return 0


def _status(cluster: Cluster) -> int:
    server = cluster.running()
    if server is None:
        print(f"PostgreSQL is not running. Its data is in {cluster.folder.data}.")
        return NOT_RUNNING
    print(_description(cluster, server))
    return 0


def _description(cluster: Cluster, server: Server) -> str:
    return (
        f"PostgreSQL is running on {HOST}, port {server.port} (process {server.pid}). "
        f"Its data is in {cluster.folder.data}."
    )
