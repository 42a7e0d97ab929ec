"""The files of the server's folder, and the locks on them."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple


class Folder(NamedTuple):
    """What lies where in the folder of one server.

    `starting_lock` is held by whoever starts or stops the server. `alive_lock` is held by the
    server's processes themselves, for they inherit it: the kernel lets go of it when the last of
    them ends, however it ends. So it is proof where a pid file is not.
    """

    path: Path

    @property
    def data(self) -> Path:  # noqa: D102
        return self.path / "data"

    @property
    def log(self) -> Path:
        """Folder of the server's own log files."""
        return self.data / "log"

    @property
    def pid_file(self) -> Path:  # noqa: D102
        return self.data / "postmaster.pid"

    @property
    def password(self) -> Path:
        """The superuser's password, mode 0600."""
        return self.path / "password"

    @property
    def port(self) -> Path:
        """The TCP port to take again at the next start, if it is free."""
        return self.path / "port"

    @property
    def settings(self) -> Path:
        """The part of postgresql.conf that Elute writes at each start."""
        return self.path / "settings.conf"

    @property
    def start_log(self) -> Path:
        """What the programs say before the server's own log is open."""
        return self.path / "start.log"

    @property
    def starting_lock(self) -> Path:  # noqa: D102
        return self.path / "starting.lock"

    @property
    def alive_lock(self) -> Path:  # noqa: D102
        return self.path / "alive.lock"


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
    descriptor = open_lock(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Whether somebody holds the lock on this file."""
    descriptor = open_lock(path)
    try:
        return not try_lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def open_lock(path: Path) -> int:
    """Open a lock file, made if missing. Read-only is enough, so its owner does not matter."""
    return os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)


def try_lock(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    """Take the lock if nobody holds it; tell whether it is taken."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
