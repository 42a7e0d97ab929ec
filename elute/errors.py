"""The errors that Elute raises on purpose: each message is written for the person who reads it."""


class EluteError(Exception):
    """Something the user can act on. Its message is shown as it is, without a traceback."""


class SettingsError(EluteError):
    """An environment variable holds a value that cannot be used."""


class ServerError(EluteError):
    """The PostgreSQL server could not be set up, started, reached or stopped."""
