"""Elute's own PostgreSQL: where it is, and what its errors mean for Elute's settings."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import postgres_here
from postgres_here import AccountError, FolderError, ProgramsError, Server, VersionError

from elute.errors import ServerError
from elute.settings import Settings

# For a home below a folder that only root can enter, such as /root.
SPARE = Path("/var/lib/elute")
# A crash may lose the last moments of a build, which is simply run again; what is published, and
# what the queue holds, is committed otherwise.
_SERVER_SETTINGS = {"synchronous_commit": "off"}


@contextmanager
def own_server(settings: Settings) -> Iterator[Server]:
    """The server in `ELUTE_HOME`/postgres, whether it runs or not.

    Raises:
        ServerError: what was done with it failed; the message names the setting to change.
    """
    with _advised():
        yield Server(
            settings.home / "postgres",
            account=settings.postgres_user,
            spare=SPARE,
            settings=_SERVER_SETTINGS,
        )


def programs() -> Path:
    """The folder with psql, pg_dump and the rest.

    Raises:
        ServerError: they are not installed.
    """
    with _advised():
        return postgres_here.programs_folder()


@contextmanager
def _advised() -> Iterator[None]:
    try:
        yield
    except postgres_here.ServerError as error:
        raise ServerError(f"{error}{_advice(error)}") from error


def _advice(error: postgres_here.ServerError) -> str:
    match error:
        case VersionError():
            return " A build makes it again from the CSV files. ELUTE_HOME sets another folder."
        case FolderError():
            return " Set ELUTE_HOME to have it in another folder."
        case AccountError() if os.geteuid() == 0:  # Others cannot choose.
            return (
                " ELUTE_POSTGRES_USER names the account; or set PGHOST to a PostgreSQL server "
                "that is running already."
            )
        case AccountError() | ProgramsError():
            return " Or set PGHOST to a PostgreSQL server that is running already."
    return ""
