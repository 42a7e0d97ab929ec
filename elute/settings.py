"""Elute's settings. They come from the environment and from nowhere else."""

import base64
import codecs
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from elute.errors import SettingsError

CHECKOUT = Path(__file__).resolve().parents[1]


class Variable(NamedTuple):
    """One environment variable: what it is called, what holds without it, what it means."""

    name: str
    default: str
    meaning: str


# The only table of settings. .env.example and docs/operations.md are checked against it.
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
    Variable("ELUTE_SEEDS_DIR", "seeds", "Folder with the CSV files."),
    Variable(
        "ELUTE_MAX_DROPPED_RATIO",
        "0.2",
        "A build stops if more than this part of a file's records is dropped, 0 to 1.",
    ),
    Variable(
        "ELUTE_MAX_NULLED_RATIO",
        "0.5",
        "A build stops if more than this part of a column's values is unusable, 0 to 1.",
    ),
    Variable(
        "ELUTE_CSV_ENCODING",
        "utf-8",
        "Encoding of the CSV files that have no byte order mark, such as cp1252.",
    ),
    Variable(
        "ELUTE_DATE_FORMAT",
        "YYYY-MM-DD",
        "How the files write dates, besides YYYY-MM-DD: such as DD/MM/YYYY or M/D/YYYY.",
    ),
    Variable(
        "ELUTE_RUN_TIME_UNIT",
        "",
        "Unit of the run times, such as min or s; shown, never computed with.",
    ),
    Variable("ELUTE_HOST", "127.0.0.1", "Address that `elute serve` listens on."),
    Variable("ELUTE_PORT", "5000", "Port that `elute serve` listens on."),
    Variable(
        "ELUTE_TOKEN",
        "",
        "Bearer token that whatever changes something needs; several: NAME:TOKEN NAME:TOKEN.",
    ),
    Variable("ELUTE_READ_TOKEN", "", "Bearer token that reading needs; ELUTE_TOKEN reads too."),
    Variable(
        "ELUTE_INSECURE",
        "0",
        "1 lets Elute listen on another address than this machine's own without ELUTE_TOKEN.",
    ),
    Variable(
        "ELUTE_TRUSTED_PROXIES",
        "0",
        "Number of proxies in a row in front; their X-Forwarded-For, -Proto, -Host, -Prefix hold.",
    ),
    Variable(
        "ELUTE_CORS_ORIGINS",
        "",
        "Sites whose pages may read, separated by spaces, such as https://notebook.lab.example.",
    ),
    Variable(
        "ELUTE_SCHEDULE",
        "",
        "When to build by itself, as five cron fields such as 0 6 * * *, in the local time zone.",
    ),
    Variable("ELUTE_WATCH", "0", "1 builds when one of the files has changed and settled."),
    Variable(
        "ELUTE_WEBHOOK_URL",
        "",
        "Addresses that are told when runs fail, recover and publish, separated by spaces.",
    ),
    Variable(
        "ELUTE_WEBHOOK_SECRET", "", "Signs what they are told: whsec_ and 24 to 64 bytes in Base64."
    ),
    Variable(
        "ELUTE_APPRISE_URL",
        "",
        "Addresses of mail and chats that are told the same, as Apprise writes them.",
    ),
    Variable(
        "ELUTE_PING_URL",
        "",
        "Address that is asked for as each run starts, succeeds and fails, as healthchecks wants.",
    ),
    Variable(
        "ELUTE_KEEP_RUNS",
        "500",
        "Runs whose progress and log are kept; of older ones only how they ended.",
    ),
    Variable("ELUTE_KEEP_BUILDS", "10", "Published builds whose tables are kept."),
    Variable(
        "ELUTE_KEEP_FILES_MB",
        "2000",
        "Megabytes that the files of builds may take, to build from them again; 0 keeps none.",
    ),
    Variable(
        "ELUTE_PUBLISH_WAIT_SECONDS",
        "60",
        "Seconds that a build waits, before it fails, for transactions that hold a mart.",
    ),
    Variable(
        "ELUTE_QUERY_SECONDS",
        "15",
        "Seconds that the query of an answer of a few rows may take.",
    ),
    Variable(
        "ELUTE_LOG_FORMAT",
        "text",
        "json makes the service write its log as JSON lines, with a line for each request.",
    ),
    Variable(
        "ELUTE_POSTGRES_USER",
        "nobody",
        "Account that runs Elute's own PostgreSQL when root starts it (it refuses to run as root).",
    ),
    Variable(
        "ELUTE_SPARK_FOLDER",
        "",
        "Folder of a build on Spark, which every worker has to see by the same path.",
    ),
)
_DEFAULTS = {variable.name: variable.default for variable in VARIABLES}


@dataclass(frozen=True)
class Settings:
    """All settings, checked. Paths are absolute.

    `host` and `port` are PostgreSQL's, and `host` is None when Elute is to run its own;
    `web_host` and `web_port` are where Elute listens. The ratios are between 0 and 1. `tokens` says
    of each token whose it is; "" if it has no name.
    """

    host: str | None
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    home: Path
    seeds_dir: Path
    max_dropped_ratio: float
    max_nulled_ratio: float
    csv_encoding: str
    date_format: str
    run_time_unit: str
    web_host: str
    web_port: int
    tokens: Mapping[str, str] = field(repr=False)
    read_token: str | None = field(repr=False)
    is_insecure: bool
    trusted_proxies: int
    cors_origins: tuple[str, ...]
    schedule: str | None
    watches_files: bool
    webhook_urls: tuple[str, ...] = field(repr=False)
    webhook_secret: str = field(repr=False)
    apprise_urls: tuple[str, ...] = field(repr=False)
    ping_url: str | None = field(repr=False)
    keep_runs: int
    keep_builds: int
    keep_files_mb: int
    publish_wait_seconds: int
    query_seconds: int
    log_format: str
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
            # Without PGHOST it is of some other server, which may have several.
            port=_port("PGPORT", values) if values["PGHOST"] else int(_DEFAULTS["PGPORT"]),
            user=values["PGUSER"] or _account(),
            password=values["PGPASSWORD"],
            database=values["PGDATABASE"],
            home=_path(environment, "ELUTE_HOME"),
            seeds_dir=_path(environment, "ELUTE_SEEDS_DIR"),
            max_dropped_ratio=ratio("ELUTE_MAX_DROPPED_RATIO", values["ELUTE_MAX_DROPPED_RATIO"]),
            max_nulled_ratio=ratio("ELUTE_MAX_NULLED_RATIO", values["ELUTE_MAX_NULLED_RATIO"]),
            csv_encoding=_encoding(values["ELUTE_CSV_ENCODING"]),
            date_format=_date_format(values["ELUTE_DATE_FORMAT"]),
            run_time_unit=_unit("ELUTE_RUN_TIME_UNIT", values),
            web_host=values["ELUTE_HOST"],
            web_port=_port("ELUTE_PORT", values),
            tokens=_tokens("ELUTE_TOKEN", values),
            read_token=_token("ELUTE_READ_TOKEN", values),
            is_insecure=_switch("ELUTE_INSECURE", values),
            trusted_proxies=_count("ELUTE_TRUSTED_PROXIES", values, least=0),
            cors_origins=_origins("ELUTE_CORS_ORIGINS", values),
            schedule=_schedule(values["ELUTE_SCHEDULE"]),
            watches_files=_switch("ELUTE_WATCH", values),
            webhook_urls=_urls("ELUTE_WEBHOOK_URL", values),
            webhook_secret=_webhook_secret("ELUTE_WEBHOOK_SECRET", values),
            apprise_urls=_apprise_urls("ELUTE_APPRISE_URL", values),
            ping_url=next(iter(_urls("ELUTE_PING_URL", values, most=1)), None),
            keep_runs=_count("ELUTE_KEEP_RUNS", values),
            keep_builds=_count("ELUTE_KEEP_BUILDS", values),
            keep_files_mb=_count("ELUTE_KEEP_FILES_MB", values, least=0),
            publish_wait_seconds=_count("ELUTE_PUBLISH_WAIT_SECONDS", values),
            query_seconds=_count("ELUTE_QUERY_SECONDS", values),
            log_format=_choice("ELUTE_LOG_FORMAT", ("text", "json"), values),
            postgres_user=values["ELUTE_POSTGRES_USER"],
        )

    @property
    def kept_files(self) -> Path:
        """The folder with the files of builds, each called by its SHA-256."""
        return self.home / "kept-files"

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
        raise SettingsError(
            f"{name} is {given!r}, and there is no such home. Write the whole path."
        ) from error


def ratio(name: str, value: str) -> float:
    """A ratio from its text.

    Raises:
        SettingsError: it is no number from 0 to 1; the message calls it `name`.
    """
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if 0 <= number <= 1:
        return number
    raise SettingsError(f"{name} must be a number from 0 to 1, such as 0.2, and is {value!r}.")


def _encoding(value: str) -> str:
    try:
        "a,b".encode(value)  # which codecs that are no encodings refuse
        return codecs.lookup(value).name
    except (LookupError, ValueError):
        pass
    raise SettingsError(
        "ELUTE_CSV_ENCODING must be an encoding that Python knows, such as utf-8, cp1252 or "
        f"mac_roman, and is {value!r}."
    )


def _date_format(value: str) -> str:
    parts = re.split("[-./ ]", value)
    separators = set(re.sub("[YMD]", "", value))
    orders = [["YYYY", "M", "D"], ["D", "M", "YYYY"], ["M", "D", "YYYY"], ["YYYY", "D", "M"]]
    if len(separators) == 1 and [re.sub("^(M|D)\\1$", r"\1", part) for part in parts] in orders:
        return value
    raise SettingsError(
        "ELUTE_DATE_FORMAT must have YYYY, MM or M, and DD or D, with the same one of - . / or a "
        f"space between them, such as DD/MM/YYYY, and is {value!r}."
    )


def _unit(name: str, values: Mapping[str, str]) -> str:
    if re.fullmatch(r"[!-~µμ°Ω]{0,20}", values[name]):
        return values[name]
    raise SettingsError(
        f"{name} must be a unit as UCUM writes it, such as min, s or h, and is {values[name]!r}."
    )


def _port(name: str, values: Mapping[str, str]) -> int:
    number = _digits(values[name])
    if number is None or not 1 <= number <= 65535:
        raise SettingsError(f"{name} must be one number from 1 to 65535, and is {values[name]!r}.")
    return number


def _count(name: str, values: Mapping[str, str], least: int = 1) -> int:
    number = _digits(values[name])
    if number is None or number < least:
        raise SettingsError(f"{name} must be a number from {least}, and is {values[name]!r}.")
    return number


def _origins(name: str, values: Mapping[str, str]) -> tuple[str, ...]:
    origins = tuple(origin.lower() for origin in values[name].split())
    for origin in origins:
        if not re.fullmatch(r"https?://[^/*@?#]+", origin):
            raise SettingsError(
                f"{name} names sites such as https://notebook.lab.example, without a path, "
                f"separated by spaces; {origin!r} is not one."
            )
    return origins


def _urls(name: str, values: Mapping[str, str], most: int = 100) -> tuple[str, ...]:
    urls = tuple(dict.fromkeys(values[name].split()))
    valid = (
        r"https?://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,4}|:[1-5][0-9]{4})?([/?][!-~]*)?"
    )
    if len(urls) > most or not all(re.fullmatch(valid, url) for url in urls):
        what = "an address" if most == 1 else "addresses"  # They may be secrets.
        raise SettingsError(f"{name} must be {what} of the web, https://… or http://….")
    return urls


def _apprise_urls(name: str, values: Mapping[str, str]) -> tuple[str, ...]:
    urls = tuple(dict.fromkeys(values[name].split()))
    if not all(re.fullmatch(r"[a-z][a-z0-9]*://[!-~]+", url) for url in urls):
        raise SettingsError(  # They may be secrets.
            f"{name} must be addresses as Apprise writes them, such as mailto://… or slack://…, "
            "separated by spaces."
        )
    return urls


def _webhook_secret(name: str, values: Mapping[str, str]) -> str:
    secret = values[name]
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if secret and not (secret.startswith("whsec_") and 24 <= len(key) <= 64):
        raise SettingsError(f"{name} must be whsec_ and 24 to 64 bytes in Base64.")
    return secret


def _digits(value: str) -> int | None:
    # isdecimal alone would take digits of other scripts.
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 19 else None


def _switch(name: str, values: Mapping[str, str]) -> bool:
    if values[name] not in ("0", "1"):
        raise SettingsError(f"{name} must be 0 or 1, and is {values[name]!r}.")
    return values[name] == "1"


def _choice(name: str, choices: tuple[str, ...], values: Mapping[str, str]) -> str:
    if values[name] not in choices:
        raise SettingsError(f"{name} must be {' or '.join(choices)}, and is {values[name]!r}.")
    return values[name]


def _tokens(name: str, values: Mapping[str, str]) -> dict[str, str]:
    """Whose each token is: one token without a name, or NAME:TOKEN as often as there are names."""
    entries = values[name].split()
    if len(entries) < 2 and ":" not in values[name]:
        token = _token(name, values)
        return {token: ""} if token else {}
    tokens: dict[str, str] = {}
    for entry in entries:
        owner, _, token = entry.partition(":")
        if not (owner and token) or owner in tokens.values() or token in tokens:
            raise SettingsError(
                f"{name} is one token, or NAME:TOKEN for each of several, with spaces between them "
                "and each name and each token once."
            )
        tokens[_token(name, {name: token}) or ""] = owner
    return tokens


def _token(name: str, values: Mapping[str, str]) -> str | None:
    """A token that a header can carry."""
    value = values[name]
    if not all("!" <= letter <= "~" for letter in value):  # The value itself is not shown.
        raise SettingsError(f"{name} may hold only ASCII letters, digits and signs.")
    return value or None


def _schedule(value: str) -> str | None:
    if not value.strip():
        return None
    problem = _cron_problem(value)
    if problem:
        raise SettingsError(
            "ELUTE_SCHEDULE must be five cron fields (minute, hour, day, month, day of the week), "
            f"such as '0 6 * * *' for six every morning, and is {value!r}: {problem}."
        )
    return value


def _cron_problem(value: str) -> str | None:
    from cronsim import CronSim, CronSimError  # noqa: PLC0415

    from elute.time_zone import local_zone  # noqa: PLC0415

    if len(value.split()) != 5:
        return "there are not five"
    try:
        next(CronSim(value, datetime.now(local_zone())))
    except CronSimError as error:
        return str(error)
    except StopIteration:
        return "that date never comes"
    return None


def _account() -> str:
    """The name libpq falls back on; "postgres" where the account has no name, as in containers."""
    import pwd  # noqa: PLC0415

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return "postgres"
