"""Starting the server's processes and waiting until they take connections."""

import logging
import signal
import socket
from collections.abc import Mapping
from pathlib import Path

from postgres_here import _files, _processes, _programs, _settings
from postgres_here._account import Account
from postgres_here._errors import FolderError, ServerError
from postgres_here._files import Folder
from postgres_here._processes import HOST, Running

# Recovery after a crash may take minutes: as long as the server lives, it gets this long.
START_SECONDS = 600
_LOG = logging.getLogger("postgres_here")


def launch(
    folder: Folder, account: Account, programs: Path, settings: Mapping[str, str], alive: int
) -> Running:
    """Start the server and wait until it takes connections.

    `alive` is the descriptor of `alive_lock`, held.

    Raises:
        ServerError: it did not start; the message holds its own last words.
    """
    for _ in range(3):
        port = _choose_port(folder)
        _write_settings(folder, port, settings)
        pid = _spawn(folder, account, programs, alive)
        if is_ready(folder, pid):
            return Running(pid, port)
        if _is_free(port):
            break
    raise ServerError(
        f"PostgreSQL did not start. Its last words were:\n{_last_words(folder)}\n"
        f"All it said is in {folder.start_log} and {folder.log}."
    )


def is_ready(folder: Folder, pid: int) -> bool:
    """Wait until the server takes connections or has ended; tell which.

    Raises:
        ServerError: it does neither for START_SECONDS.
    """

    def is_up() -> bool:
        server = _processes.ready(folder)
        return server is not None and server.pid == pid

    def is_settled() -> bool:
        return is_up() or not _processes.is_postmaster(pid, folder)

    # For a moment, the process is still the shell that becomes the server.
    _processes.wait(lambda: _processes.is_postmaster(pid, folder), 0.5)
    if not _processes.wait(is_settled, 10):
        _LOG.warning("PostgreSQL is putting its data in order after a crash.")
        if not _processes.wait(is_settled, START_SECONDS):
            raise ServerError(f"PostgreSQL takes too long to start: see the logs in {folder.log}.")
    return is_up()


def end_leftovers(folder: Folder, alive: int) -> None:
    """End what is left of an earlier start or server, and take the lock that proves it.

    Raises:
        FolderError: the folder is in use by processes that cannot be found or ended.
    """
    _processes.end(folder, (signal.SIGQUIT, 5), (signal.SIGKILL, 5))
    # Whoever only looks whether the lock is held holds it for a moment.
    if not _processes.wait(lambda: _files.try_lock(alive), 2):
        raise FolderError(
            f"{folder.data} is in use by a PostgreSQL that cannot be seen from here, perhaps in "
            "another container. Stop that one, or use another folder."
        )
    folder.pid_file.unlink(missing_ok=True)


def _spawn(folder: Folder, account: Account, programs: Path, alive: int) -> int:
    """Start the server as nobody's child, in a session of its own; return its process id."""
    folder.start_log.unlink(missing_ok=True)
    command = ["sh", "-c", '"$@" </dev/null >&2 & echo $!', "sh"]
    server: list[str | Path] = [programs / "postgres", "-D", folder.data]
    with folder.start_log.open("wb") as log:
        return int(_programs.run([*command, *server], account, log, (alive,)))


def _write_settings(folder: Folder, port: int, settings: Mapping[str, str]) -> None:
    everything = {
        **_settings.for_this_machine(folder.path),
        **settings,
        # TCP on this machine only; no socket file, whose path may not be longer than 107 bytes.
        "listen_addresses": HOST,
        "port": str(port),
        "unix_socket_directories": "",
        # Leftovers of this server are found by it.
        "cluster_name": _processes.cluster_name(folder),
    }
    # Without the password in it, so the server's account may read it.
    _files.write(folder.settings, _settings.as_file(everything), 0o644)
    _files.write(folder.port, f"{port}\n", 0o644)


def _choose_port(folder: Folder) -> int:
    """The port of last time if it is free, else one that is."""
    try:
        port = int(folder.port.read_text())
    except (FileNotFoundError, ValueError):
        port = 0
    if port and _is_free(port):
        return port
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the server does: a connection that has just ended does not keep the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _last_words(folder: Folder) -> str:
    """What it said last, from whichever of its logs is the latest."""
    logs = [folder.start_log, *folder.log.glob("*.log")]
    latest = max(logs, key=lambda log: log.stat().st_mtime_ns)
    return "\n".join(latest.read_text(errors="replace").splitlines()[-3:])
