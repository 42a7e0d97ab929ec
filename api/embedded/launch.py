"""Starting the server's processes and waiting until they take connections."""

import hashlib
import os
import signal
import socket
import sys
from pathlib import Path

from api.embedded import files, processes, programs, tuning
from api.embedded.account import Account
from api.embedded.files import Folder
from api.embedded.server import HOST, Server, read_pid_file
from api.errors import ServerError

# Recovery after a crash may take minutes: as long as the server lives, it gets this long.
START_SECONDS = 600


def launch(folder: Folder, account: Account, bin_folder: Path) -> Server:
    """Start the server and wait until it takes connections.

    Raises:
        ServerError: it did not start; the message holds its own last words.
    """
    alive = files.open_lock(folder.alive_lock)
    try:
        _end_leftovers(folder, alive)
        for _ in range(3):
            port = _choose_port(folder)
            _write_settings(folder, port)
            pid = _spawn(folder, account, bin_folder, alive)
            if _is_ready(folder, pid):
                return Server(pid, port)
            if _is_free(port):
                break
    finally:
        os.close(alive)
    raise ServerError(
        f"PostgreSQL did not start. Its last words were:\n{_last_words(folder)}\n"
        f"All it said is in {folder.start_log} and {folder.log}."
    )


def _end_leftovers(folder: Folder, alive: int) -> None:
    """Make sure that nothing of an earlier server is left, and take the lock that proves it.

    Raises:
        ServerError: the folder is in use by processes that cannot be found or ended.
    """
    if folder.pid_file.exists():
        title = f"postgres: {_cluster_name(folder)}: "
        for number in (signal.SIGQUIT, signal.SIGKILL):
            processes.end(processes.titled(title), number)
            if processes.wait(lambda: not processes.titled(title), 5):
                break
    # Whoever only looks whether the lock is held holds it for a moment.
    if not processes.wait(lambda: files.try_lock(alive), 2):
        raise ServerError(
            f"{folder.data} is in use by a PostgreSQL that cannot be seen from here, perhaps in "
            "another container. Stop that one, or set ELUTE_HOME to another folder."
        )
    folder.pid_file.unlink(missing_ok=True)


def _spawn(folder: Folder, account: Account, bin_folder: Path, alive: int) -> int:
    """Start the server as nobody's child, in a session of its own; return its process id."""
    folder.start_log.unlink(missing_ok=True)
    command = ["sh", "-c", '"$@" </dev/null >&2 & echo $!', "sh"]
    server: list[str | Path] = [bin_folder / "postgres", "-D", folder.data]
    with folder.start_log.open("wb") as log:
        return int(programs.run([*command, *server], account, log, (alive,)))


def _is_ready(folder: Folder, pid: int) -> bool:
    """Wait until the server takes connections or has ended; tell which.

    Raises:
        ServerError: it does neither for START_SECONDS.
    """

    def settled() -> bool:
        return _ready(folder, pid) or not processes.is_postmaster(pid, folder.data)

    # For a moment, the process is still the shell that becomes the server.
    processes.wait(lambda: processes.is_postmaster(pid, folder.data), 0.5)
    if not processes.wait(settled, 10):
        print("PostgreSQL is putting its data in order after a crash.", file=sys.stderr)
        if not processes.wait(settled, START_SECONDS):
            raise ServerError(f"PostgreSQL takes too long to start: see the logs in {folder.log}.")
    return _ready(folder, pid)


def _ready(folder: Folder, pid: int) -> bool:
    server, status = read_pid_file(folder)
    return status == "ready" and server is not None and server.pid == pid


def _write_settings(folder: Folder, port: int) -> None:
    settings = {
        # TCP on this machine only; no socket file, whose path may not be longer than 107 bytes.
        "listen_addresses": HOST,
        "port": str(port),
        "unix_socket_directories": "",
        # Names every process of this server in its title, by which leftovers are found.
        "cluster_name": _cluster_name(folder),
        **tuning.for_this_machine(folder.path),
    }
    # Without the password in it, so the server's account may read it.
    files.write(folder.settings, tuning.as_file(settings), 0o644)
    files.write(folder.port, f"{port}\n", 0o644)


def _cluster_name(folder: Folder) -> str:
    return "elute_" + hashlib.sha256(os.fsencode(folder.path)).hexdigest()[:12]


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
