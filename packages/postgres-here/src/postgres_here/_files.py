"""The files of the server's folder, and the locks on them."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Folder:
    """What lies where in the folder of one server.

    `starting_lock` is held by whoever starts or stops the server. `alive_lock` is held by the
    processes themselves that use the data, for they inherit it: the kernel lets go of it when the
    last of them ends, however it ends. So it is proof where a pid file is not.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = path / "data"
        # The folder of a data folder that is being made, and of its password.
        self.new = path / "new"
        self.new_data = self.new / "data"
        self.pid_file = self.data / "postmaster.pid"
        self.log = self.data / "log"
        # What the programs say before the server's own log is open.
        self.start_log = path / "start.log"
        # The superuser's, mode 0600.
        self.password = path / "password"
        # The TCP port to take again at the next start, if it is free.
        self.port = path / "port"
        # Included by postgresql.conf, and written at each start.
        self.settings = path / "settings.conf"
        self.starting_lock = path / "starting.lock"
        self.alive_lock = path / "alive.lock"


def write(path: Path, text: str, mode: int) -> None:
    """Put a file in place whole, with these permissions from its first byte on."""
    scratch = path.with_name(path.name + ".new")
    scratch.unlink(missing_ok=True)
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123
        os.fchmod(descriptor, mode)  # whatever the umask
        file.write(text)
    scratch.replace(path)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock on this file, waiting for it as long as it takes."""
    with opened(path) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


def is_locked(path: Path) -> bool:
    """Whether somebody holds the lock on this file."""
    with opened(path) as descriptor:
        return not try_lock(descriptor, fcntl.LOCK_SH)


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """A lock file's descriptor, made if missing; a lock taken on it ends with the block."""
    # Reading is enough for a lock, so the file's owner does not matter.
    descriptor = os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def try_lock(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    """Take the lock if nobody holds it; tell whether it is taken."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
