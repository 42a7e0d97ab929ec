"""Elute's settings. They come from the environment and from nowhere else."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from api.errors import SettingsError

CHECKOUT = Path(__file__).resolve().parents[1]


class Variable(NamedTuple):
    """One environment variable: what it is called, what holds without it, what it means."""

    name: str
    default: str
    meaning: str


# The only table of settings. .env.example and the README are checked against it.
VARIABLES = (
    Variable(
        "PGHOST",
        "",
        "PostgreSQL server to use, 15 or later. Without it Elute runs its own on this machine.",
    ),
    Variable("PGPORT", "5432", "Port of that server."),
    Variable("PGUSER", "", "User on that server. Default: the name of the account Elute runs as."),
    Variable("PGPASSWORD", "", "Password on that server. A ~/.pgpass file works too."),
    Variable("PGDATABASE", "postgres", "Database to use, on that server or on Elute's own."),
    Variable(
        "ELUTE_HOME",
        ".elute",
        "Folder for all that Elute writes: virtual environment, database, logs, dbt's output.",
    ),
    Variable("ELUTE_SEEDS_DIR", "seeds", "Folder with the three CSV files."),
    Variable(
        "ELUTE_MAX_DROPPED_RATIO",
        "0.2",
        "A build stops if more than this part of a file's records is dropped, 0 to 1.",
    ),
    Variable(
        "ELUTE_POSTGRES_USER",
        "nobody",
        "Account that runs Elute's own PostgreSQL when root starts it (it refuses to run as root).",
    ),
)
_DEFAULTS = {variable.name: variable.default for variable in VARIABLES}


@dataclass(frozen=True)
class Settings:
    """All settings, checked. Paths are absolute.

    `host` is None when Elute is to run its own PostgreSQL. `max_dropped_ratio` is between 0 and 1.
    """

    host: str | None
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    home: Path
    seeds_dir: Path
    max_dropped_ratio: float
    postgres_user: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read and check every setting; an empty variable counts as not set.

        Raises:
            SettingsError: a value cannot be used; the message names the variable and the value.
        """
        values = {name: environment.get(name) or _DEFAULTS[name] for name in _DEFAULTS}
        return cls(
            host=values["PGHOST"] or None,
            port=_port(values["PGPORT"]),
            user=values["PGUSER"] or _account(),
            password=values["PGPASSWORD"],
            database=values["PGDATABASE"],
            home=_path(environment, "ELUTE_HOME"),
            seeds_dir=_path(environment, "ELUTE_SEEDS_DIR"),
            max_dropped_ratio=_ratio(values["ELUTE_MAX_DROPPED_RATIO"]),
            postgres_user=values["ELUTE_POSTGRES_USER"],
        )

    @property
    def log_file(self) -> Path:
        """Where the details of an unexpected failure are written."""
        return self.home / "logs" / "elute.log"


def _path(environment: Mapping[str, str], name: str) -> Path:
    """The variable's folder, relative to where we are; its default, relative to the checkout."""
    given = environment.get(name)
    if not given:
        return CHECKOUT / _DEFAULTS[name]
    if "\n" in given:  # PostgreSQL's own files could not tell where the path ends.
        raise SettingsError(f"{name} is {given!r}; it may not hold a line break.")
    try:
        return Path(os.path.normpath(Path(given).expanduser().absolute()))
    except RuntimeError as error:
        raise SettingsError(f"{name} is {given!r}, and that home folder is not known.") from error


def _port(value: str) -> int:
    # isdecimal alone would take digits of other scripts.
    if value.isascii() and value.isdecimal() and 1 <= int(value) <= 65535:
        return int(value)
    raise SettingsError(f"PGPORT must be one number from 1 to 65535, and is {value!r}.")


def _ratio(value: str) -> float:
    try:
        ratio = float(value)
    except ValueError:
        ratio = -1.0
    if 0 <= ratio <= 1:
        return ratio
    raise SettingsError(
        f"ELUTE_MAX_DROPPED_RATIO must be a number from 0 to 1, such as 0.2, and is {value!r}."
    )


def _account() -> str:
    """The name libpq falls back on; "postgres" where the account has no name, as in containers."""
    import pwd  # noqa: PLC0415

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return "postgres"
