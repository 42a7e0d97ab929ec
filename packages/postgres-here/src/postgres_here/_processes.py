"""The server's processes: finding them, waiting for them, and ending them."""

import contextlib
import hashlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from postgres_here import _files, _programs
from postgres_here._files import Folder

HOST = "127.0.0.1"
_TITLE = "postgres: "  # of each process of a server but the first


class Running(NamedTuple):
    """A running server: its process id and its TCP port on HOST."""

    pid: int
    port: int


def find(folder: Folder) -> tuple[Running | None, str]:
    """The server of this folder, and its status: "ready", "starting", "stopping" or "".

    A stale pid file may name any process by now, so the process has to show that it is this one.

    Raises:
        PermissionError: the folder belongs to another account.
    """
    try:
        lines = folder.pid_file.read_text(errors="replace").splitlines()
        server, status = Running(int(lines[0]), int(lines[3])), lines[7].strip()
    except (FileNotFoundError, NotADirectoryError, IndexError, ValueError):
        return None, ""
    return (server, status) if is_postmaster(server.pid, folder) else (None, "")


def ready(folder: Folder) -> Running | None:
    """The server, if it takes connections.

    Its pid file says "ready" also while it recovers from the end of one of its processes.

    Raises:
        PermissionError: the folder belongs to another account.
    """
    server, status = find(folder)
    is_ready = server and status == "ready" and accepts(HOST, server.port) is not False
    return server if is_ready else None


def accepts(host: str, port: int) -> bool | None:
    """Whether a server takes connections there, if it has room for them; None if none answers.

    One that starts, recovers or shuts down takes none.
    """
    program = str(_programs.programs_folder() / "pg_isready")
    asks = [program, f"--host={host}", f"--port={port}", "--quiet"]
    status = subprocess.run(asks, check=False, env={}).returncode
    return {0: True, 1: False}.get(status)


def is_postmaster(pid: int, folder: Folder) -> bool:
    """Whether this process is the server of that folder; one that only waits for wait() is not."""
    words = command_line(pid)
    if words[0].startswith(_TITLE) or Path(words[0]).name != "postgres":
        return False
    return _is_of(pid, folder, is_named=str(folder.data) in words)


def has_moved(pid: int, folder: Folder) -> bool:
    """Whether the folder of this server has been renamed or moved since the server was started.

    Then it still answers, but finds its settings no more: it knows them by their old paths.
    """
    words = command_line(pid)
    if str(folder.data) in words:
        return False
    # As the server sees it: in another container, the same folder may be called otherwise.
    named = [Path(f"/proc/{pid}/root{word}") for word in words[1:] if word.startswith("/")]
    return bool(named) and _identity(folder.data) not in map(_identity, named)


def end(folder: Folder, *steps: tuple[signal.Signals, float]) -> bool:
    """Send one signal after another, each with the seconds to wait, until no process is left.

    SIGINT is a fast shutdown and for the postmaster alone. Any other signal goes to its children
    too, which may have outlived it, and to an initdb whose caller was killed.

    Returns:
        Whether all have ended.

    Raises:
        PermissionError: they belong to another account.
    """

    def has_ended() -> bool:
        return not _files.is_locked(folder.alive_lock)

    # A shell becomes the server in a moment, and the helpers of an initdb end without it.
    wait(lambda: has_ended() or bool(_all_of(folder)), 2)
    for number, seconds in steps:
        if has_ended():
            break
        pids = _all_of(folder)
        if number == signal.SIGINT:
            pids = [pid for pid in pids if is_postmaster(pid, folder)]
        for pid in pids:
            # Anybody may call a process of his own so.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        if pids:
            wait(has_ended, seconds)
    return has_ended()


def cluster_name(folder: Folder) -> str:
    """The `cluster_name` of this folder's server: the title of each of its processes has it."""
    return "here_" + hashlib.sha256(os.fsencode(folder.path)).hexdigest()[:12]


# psutil is imported where it is needed: it takes longer than to find a running server.
def _all_of(folder: Folder) -> list[int]:
    """The processes that hold `alive_lock`, but for the shells that start them."""
    import psutil  # type: ignore[import-untyped] # noqa: PLC0415

    title = f"{_TITLE}{cluster_name(folder)}: "
    arguments = {str(folder.data), f"--pgdata={folder.new_data}"}
    found = []
    for pid in psutil.pids():
        words = command_line(pid)
        is_child = words[0].startswith(_TITLE)
        if is_child or Path(words[0]).name in ("postgres", "initdb"):
            is_named = words[0].startswith(title) if is_child else bool(arguments & {*words})
            if _is_of(pid, folder, is_named=is_named):
                found.append(pid)
    return found


def _is_of(pid: int, folder: Folder, *, is_named: bool) -> bool:
    """Whether a process of PostgreSQL's is this folder's, whatever the folder was called before.

    Then it has `alive_lock` open or works in the data folder. Where no /proc tells us that, its
    command line has to name the folder (`is_named`).
    """
    process = Path(f"/proc/{pid}")
    try:
        (process / "cwd").stat()  # Root without CAP_SYS_PTRACE may list the files, but not more.
        links = [process / "cwd", *(process / "fd").iterdir()]
    except OSError:
        return is_named
    ours = {_identity(folder.alive_lock), _identity(folder.data)} - {None}
    return not ours.isdisjoint(map(_identity, links))


def _identity(path: Path) -> tuple[int, int] | None:
    """The same for two paths to one file; None if there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def wait(done: Callable[[], bool], seconds: float) -> bool:
    """Wait until `done`, at most so many seconds; tell whether it is."""
    begin = time.monotonic()
    while not done():
        waited = time.monotonic() - begin
        if waited > seconds:
            return False
        # Seldomer with time: each question to a server that recovers is a line in its log.
        time.sleep(0.005 + min(waited / 10, seconds - waited))
    return True


def command_line(pid: int) -> list[str]:
    """The process's arguments; an empty one if there is no such process, or it has ended."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return [""] if Path("/proc/self").exists() else _command_line_elsewhere(pid)
    return os.fsdecode(raw).rstrip("\0").split("\0")


def _command_line_elsewhere(pid: int) -> list[str]:
    import psutil  # noqa: PLC0415

    try:
        return psutil.Process(pid).cmdline() or [""]
    except psutil.Error:
        return [""]
