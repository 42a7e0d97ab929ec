"""What a running server says about itself."""

from typing import NamedTuple

from api.embedded.files import Folder

HOST = "127.0.0.1"
USER = "postgres"


class Server(NamedTuple):
    """A server: its process id and its TCP port on 127.0.0.1."""

    pid: int
    port: int


def read_pid_file(folder: Folder) -> tuple[Server | None, str]:
    """What the server wrote about itself, and its status: "ready", "starting", "stopping" or ""."""
    try:
        lines = folder.pid_file.read_text(errors="replace").splitlines()
        return Server(int(lines[0]), int(lines[3])), lines[7].strip()
    except (FileNotFoundError, IndexError, ValueError):
        return None, ""
