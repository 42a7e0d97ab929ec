"""One PostgreSQL server of our own: made, started, found and stopped."""

import os
import signal

from api.embedded import files, processes
from api.embedded.files import Folder
from api.embedded.server import Server, read_pid_file
from api.errors import ServerError
from api.settings import Settings

STOP_SECONDS = 120


class Cluster:
    """The embedded PostgreSQL of one `ELUTE_HOME`. Making the object touches nothing."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def folder(self) -> Folder:
        """Where it is: `ELUTE_HOME`/postgres, which is a link if root's home is closed."""
        return Folder((self._settings.home / "postgres").resolve())

    def password(self) -> str | None:
        """The superuser's password; None before the first start.

        Raises:
            ServerError: it belongs to another account.
        """
        try:
            return self.folder.password.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except PermissionError as error:
            raise self._not_ours() from error

    def running(self) -> Server | None:
        """The server if it runs and takes connections.

        Raises:
            ServerError: it belongs to another account.
        """
        server, status = self._look()
        return server if status == "ready" else None

    def start(self) -> Server:
        """The running server; started first, and made first, where need be.

        Raises:
            ServerError: it cannot be made or started; the message says why and what to do.
        """
        try:
            return self.running() or self._start()
        except OSError as error:
            raise ServerError(
                f"PostgreSQL cannot be started in {self.folder.path}: {error}. "
                "Make room there or give access to it, or set ELUTE_HOME to another folder."
            ) from error

    def stop(self) -> bool:
        """End the server, and the sessions on it; False if none ran.

        Raises:
            ServerError: it belongs to another account, or takes longer than STOP_SECONDS.
        """
        folder = self.folder
        if not folder.data.exists():
            return False
        with files.locked(folder.starting_lock):
            server, _ = self._look()
            if server is None:
                return False
            processes.end([server.pid], signal.SIGINT)
            if not processes.wait(lambda: not files.is_locked(folder.alive_lock), STOP_SECONDS):
                raise ServerError(
                    f"PostgreSQL (process {server.pid}) is still writing after {STOP_SECONDS} "
                    "seconds; it will end by itself."
                )
        return True

    def _look(self) -> tuple[Server | None, str]:
        """The server that lives, and its status."""
        folder = self.folder
        try:
            server, status = read_pid_file(folder)
        except PermissionError as error:
            raise self._not_ours() from error
        if server is None or not processes.is_postmaster(server.pid, folder.data):
            return None, ""
        return server, status

    def _start(self) -> Server:
        # Imported here: finding a server that runs needs none of it, and has to be quick.
        from api.embedded import account, create, launch, programs  # noqa: PLC0415

        runs_as = account.server_account(self._settings.postgres_user, self.folder.data)
        folder = Folder(account.place(self._settings.home, runs_as))
        with files.locked(folder.starting_lock):
            # Whoever held the lock may have started it.
            processes.wait(lambda: self._look()[1] != "stopping", STOP_SECONDS)
            server = self.running()
            if server:
                return server
            bin_folder = programs.reachable(runs_as)
            if not folder.data.exists():
                create.create(folder, runs_as, bin_folder)
            create.check_version(folder, bin_folder)
            return launch.launch(folder, runs_as, bin_folder)

    def _not_ours(self) -> ServerError:
        return ServerError(
            f"The PostgreSQL in {self.folder.path} belongs to another account than user id "
            f"{os.geteuid()}. Run as the account that made it, or set ELUTE_HOME to another folder."
        )
