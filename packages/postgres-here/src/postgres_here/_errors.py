"""What can go wrong, by what to change. Each message says what to do and is written for people."""


class ServerError(Exception):
    """The server could not be made, started, reached or stopped."""


class FolderError(ServerError):
    """The folder cannot be used; another one, or access to this one, would help."""


class VersionError(FolderError):
    """The data in the folder was made by another major version of PostgreSQL."""


class AccountError(ServerError):
    """The account cannot run PostgreSQL; another one would help."""


class ProgramsError(ServerError):
    """PostgreSQL's programs are not installed or do not run on this machine."""
