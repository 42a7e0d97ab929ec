"""One PostgreSQL server: made, started, found and stopped."""

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from postgres_here import _account, _data, _files, _processes, _programs
from postgres_here._errors import FolderError, ServerError
from postgres_here._files import Folder
from postgres_here._launch import START_SECONDS, end_leftovers, is_ready, launch
from postgres_here._processes import HOST, Running

USER = "postgres"
# A fast shutdown never ends if it was asked for during a recovery, and takes as long as the disk
# does; an immediate one is made good by the next start. Ten seconds in all.
_STOP_STEPS = ((signal.SIGINT, 6.0), (signal.SIGQUIT, 2.0), (signal.SIGKILL, 1.5))


class Server:
    """The PostgreSQL server of one folder. Making the object touches nothing.

    As a context manager it is started, and at the end stopped unless it ran before.

    Args:
        folder: where all of it is kept; it may be missing, but for its disk.
        account: who runs the server if root starts it; data that is there already decides by its
            owner. Anybody but root runs it as oneself.
        spare: where root keeps the data instead if `account` cannot enter the folders above
            `folder`, which then is a link. It is open to all.
        settings: server settings, such as `{"work_mem": "64MB"}`, that win over those chosen for
            this machine. `ALTER SYSTEM` wins over them.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        account: str = "nobody",
        spare: str | os.PathLike[str] = "/var/lib/postgres-here",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._given = Path(folder).absolute()
        self._account, self._spare = account, Path(spare)
        self._settings = dict(settings or {})
        self._ran_before = False

    def __enter__(self) -> "Server":
        self._ran_before = self.running() is not None
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if not self._ran_before:
            self.stop()

    @property
    def folder(self) -> Path:
        """Where it is kept, without links."""
        return self._given.resolve()

    @property
    def data(self) -> Path:
        """Its data folder; its own logs are in `log` below."""
        return self._files.data

    def start(self) -> Running:
        """The running server; started first, and made first, where need be.

        One whose folder has been moved is started anew, which ends the sessions on it.

        Raises:
            ServerError: it cannot be made or started; the message says why and what to do.
        """
        try:
            server = self.running()
            if server and not _processes.has_moved(server.pid, self._files):
                return server
            return self._start()
        except OSError as error:
            raise FolderError(
                f"PostgreSQL cannot be started in {self.folder}: {error}. "
                "Make room there or give access to it, or use another folder."
            ) from error

    def running(self) -> Running | None:
        """The server if it runs and takes connections.

        Raises:
            FolderError: it belongs to another account.
        """
        with self._ours():
            return _processes.ready(self._files)

    def stop(self) -> bool:
        """End the server, and the sessions on it; False if none ran. It takes ten seconds at most.

        Raises:
            FolderError: it belongs to another account.
            ServerError: not even SIGKILL has ended it.
        """
        with self._ours():
            return self._files.starting_lock.exists() and self._stop()

    def password(self) -> str | None:
        """The password of USER, the superuser; None before the first start.

        Raises:
            FolderError: it belongs to another account.
        """
        try:
            with self._ours():
                # Whoever writes another one into the file ends the line.
                return self._files.password.read_text(encoding="utf-8").removesuffix("\n")
        except FileNotFoundError:
            return None

    def url(self, database: str = "postgres") -> str:
        """The running server as a URL, with the password in it, as libpq and drivers read it.

        Raises:
            ServerError: it does not run.
        """
        server, password = self.running(), self.password()
        if server is None or password is None:
            raise ServerError(f"The PostgreSQL in {self.folder} is not running.")
        return f"postgresql://{USER}:{password}@{HOST}:{server.port}/{quote(database, safe='')}"

    @property
    def _files(self) -> Folder:
        return Folder(self.folder)

    def _start(self) -> Running:
        runs_as = _account.server_account(self._account, self.data)
        folder = Folder(_account.place(self._given, runs_as, self._spare))
        with _files.locked(folder.starting_lock), _files.opened(folder.alive_lock) as alive:
            # Whoever held the lock may have started it. One that is shutting down may do so for
            # ever: a smart shutdown waits for its clients.
            server, status = _processes.find(folder)
            has_moved = server is not None and _processes.has_moved(server.pid, folder)
            if status == "stopping" or has_moved:
                _processes.end(folder, *_STOP_STEPS)
            elif server and is_ready(folder, server.pid):
                return server
            end_leftovers(folder, alive)
            programs = _programs.reachable(runs_as, self._spare)
            if not folder.data.exists():
                _data.create(folder, runs_as, programs, USER, alive)
            _data.check_version(folder, programs)
            _data.make_private(folder, runs_as)
            return launch(folder, runs_as, programs, self._settings, alive)

    def _stop(self) -> bool:
        folder = self._files
        with _files.opened(folder.starting_lock) as lock:
            # Whoever holds the lock makes a server, which is to be stopped as well, or waits for
            # one to recover, which may take long.
            _processes.wait(
                lambda: _files.try_lock(lock) or _processes.find(folder)[0] is not None,
                START_SECONDS,
            )
            # Not its pid file: one that has just been started has none yet.
            if not _files.is_locked(folder.alive_lock):
                return False
            if not _processes.end(folder, *_STOP_STEPS):
                raise ServerError(
                    f"The PostgreSQL in {self.folder} cannot be ended: its disk does not answer, "
                    "or it runs in another container."
                )
        return True

    @contextmanager
    def _ours(self) -> Iterator[None]:
        try:
            yield
        except PermissionError as error:
            raise FolderError(
                f"The PostgreSQL in {self.folder} belongs to another account than user id "
                f"{os.geteuid()}. Run as the account that made it, or use another folder."
            ) from error
