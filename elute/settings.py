"""Elute's settings. They come from the environment and from nowhere else."""

import base64
import codecs
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from elute.errors import SettingsError
from elute.extras import how_to_install

CHECKOUT = Path(__file__).resolve().parents[1]
_MOST_SECONDS = (2**31 - 1) // 1000  # PostgreSQL counts milliseconds in 32 bits.
# Of Python's own texts, not of files.
_NO_ENCODINGS = ("charmap", "punycode", "raw-unicode-escape", "unicode-escape")


class Variable(NamedTuple):
    """One environment variable: what it is called, what holds without it, what it means."""

    name: str
    default: str
    meaning: str


def _folder(text: str) -> Path:
    if "\n" in text:  # PostgreSQL's own files could not tell where the path ends.
        raise ValueError(f"is {text!r}; it may not hold a line break")
    try:
        return Path(os.path.normpath(Path(text).expanduser().absolute()))
    except RuntimeError as error:
        raise ValueError(f"is {text!r}, and there is no such home. Write the whole path") from error


def _ratio(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if 0 <= number <= 1:
        return number
    raise ValueError(f"must be a number from 0 to 1, such as 0.2, and is {text!r}")


def _encoding(text: str) -> str:
    try:
        # Codecs that are no encodings refuse to encode. UTF-16 that does not say which way round it
        # is begins with a mark that these files have not.
        encoded = "a,b".encode(text).removeprefix(codecs.BOM_UTF16)
        is_usable = codecs.getincrementaldecoder(text)().decode(encoded) == "a,b"
    except (LookupError, ValueError):
        is_usable = False
    if not is_usable or codecs.lookup(text).name in _NO_ENCODINGS:
        raise ValueError(
            "must be an encoding that Python knows and that needs no byte order mark, such as "
            f"utf-8, cp1252, mac_roman or utf-16-le, and is {text!r}"
        )
    return codecs.lookup(text).name


def _date_format(text: str) -> str:
    parts = re.split("[-./ ]", text)
    separators = set(re.sub("[YMD]", "", text))
    orders = [["YYYY", "M", "D"], ["D", "M", "YYYY"], ["M", "D", "YYYY"], ["YYYY", "D", "M"]]
    if len(separators) == 1 and [re.sub("^(M|D)\\1$", r"\1", part) for part in parts] in orders:
        return text
    raise ValueError(
        "must have YYYY, MM or M, and DD or D, with the same one of - . / or a space between them, "
        f"such as DD/MM/YYYY, and is {text!r}"
    )


def _unit(text: str) -> str:
    if re.fullmatch(r"[!-~µμ°Ω]{0,20}", text):
        return text
    raise ValueError(f"must be a unit as UCUM writes it, such as min, s or h, and is {text!r}")


def _number(least: int, most: int = 2**31 - 1) -> Callable[[str], int]:
    def read(text: str) -> int:
        number = int(text) if re.fullmatch("[0-9]{1,18}", text) else -1
        if least <= number <= most:
            return number
        raise ValueError(f"must be one whole number from {least} to {most}, and is {text!r}")

    return read


def _one_of(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text in choices:
            return text
        raise ValueError(f"must be {' or '.join(choices)}, and is {text!r}")

    return read


def _switch(text: str) -> bool:
    return _one_of("0", "1")(text) == "1"


def _origins(text: str) -> tuple[str, ...]:
    origins = tuple(text.lower().split())
    for origin in origins:
        if not re.fullmatch(r"https?://[^/*@?#]+", origin):
            raise ValueError(
                "names sites such as https://notebook.lab.example, without a path, separated by "
                f"spaces; {origin!r} is not one"
            )
    return origins


def _urls(text: str) -> tuple[str, ...]:
    valid = r"https?://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:(?P<port>[0-9]{1,5}))?([/?][!-~]*)?"
    urls = tuple(dict.fromkeys(text.split()))
    for url in urls:
        found = re.fullmatch(valid, url)
        if found is None or int(found["port"] or 0) > 65535:  # It may be a secret.
            raise ValueError("must be addresses of the web, https://… or http://…")
    return urls


def _url(text: str) -> str | None:
    urls = _urls(text)
    if len(urls) > 1:
        raise ValueError("must be one address of the web")
    return next(iter(urls), None)


def _apprise_urls(text: str) -> tuple[str, ...]:
    urls = tuple(dict.fromkeys(text.split()))
    if not all(re.fullmatch(r"[a-z][a-z0-9]*://[!-~]+", url) for url in urls):  # See above.
        raise ValueError(
            "must be addresses as Apprise writes them, such as mailto://… or slack://…, separated "
            "by spaces"
        )
    return urls


def _webhook_secret(text: str) -> str:
    try:
        key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if text and not (text.startswith("whsec_") and 24 <= len(key) <= 64):
        raise ValueError(
            "must be whsec_ and 24 to 64 bytes in Base64; "
            '`echo "whsec_$(openssl rand -base64 32)"` makes one'
        )
    return text


def _token(text: str) -> str | None:
    if not re.fullmatch("[!-~]*", text):  # The value itself is not shown.
        raise ValueError(
            "may hold only ASCII letters, digits and signs; `openssl rand -hex 16` makes one"
        )
    return text or None


def _tokens(text: str) -> dict[str, str]:
    """Whose each token is: one token without a name, or NAME:TOKEN as often as there are names."""
    entries = text.split()
    if len(entries) < 2 and ":" not in text:
        return {text: ""} if _token(text) else {}
    tokens: dict[str, str] = {}
    for entry in entries:
        owner, _, token = entry.partition(":")
        if not (owner and _token(token)) or owner in tokens.values() or token in tokens:
            raise ValueError(
                "is one token, or NAME:TOKEN for each of several, with spaces between them and "
                "each name and each token once"
            )
        tokens[token] = owner
    return tokens


def _schedule(text: str) -> str | None:
    if not text.strip():
        return None
    from cronsim import CronSim, CronSimError  # noqa: PLC0415

    from elute.time_zone import local_zone  # noqa: PLC0415

    try:
        comes = next(CronSim(text, datetime.now(local_zone())), None)
        problem = "" if comes else "that date never comes"
    except CronSimError as error:
        problem = str(error)
    if len(text.split()) != 5:
        problem = "there are not five"
    if problem:
        raise ValueError(
            "must be five cron fields (minute, hour, day, month, day of the week), such as "
            f"'0 6 * * *' for six every morning, and is {text!r}: {problem}"
        )
    return text


def _account(text: str) -> str:
    """The name libpq falls back on; "postgres" where the account has no name, as in containers."""
    import pwd  # noqa: PLC0415

    try:
        return text or pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return "postgres"


def _setting(
    variable: str, meaning: str, read: Callable[[str], object] = str, *, is_secret: bool = False
) -> Any:
    """A field of Settings.

    Args:
        variable: NAME=DEFAULT, as in .env.example.
        meaning: for people; .env.example and docs/operations.md are checked against it.
        read: makes the value of its text, or raises ValueError with what to say after the name.
        is_secret: it is not to be printed.
    """
    name, _, default = variable.partition("=")
    metadata = {"variable": Variable(name, default, meaning), "read": read}
    return field(repr=not is_secret, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """All settings, checked: each field is one environment variable. Paths are absolute.

    `host` and `port` are PostgreSQL's, and `host` is None when Elute is to run its own;
    `web_host` and `web_port` are where Elute listens. The ratios are between 0 and 1. `tokens` says
    of each token whose it is; "" if it has no name.
    """

    host: str | None = _setting(
        "PGHOST=",
        "PostgreSQL server to use, 15 or later. Without it Elute runs its own on this machine.",
        lambda text: text or None,
    )
    port: int = _setting("PGPORT=5432", "Port of that server.", _number(1, 65535))
    user: str = _setting(
        "PGUSER=", "User on that server. Default: the name of the account Elute runs as.", _account
    )
    password: str = _setting(
        "PGPASSWORD=", "Password on that server. A ~/.pgpass file works too.", is_secret=True
    )
    database: str = _setting(
        "PGDATABASE=postgres", "Database to use, on that server or on Elute's own."
    )
    home: Path = _setting(  # noqa: RUF009 - a field
        "ELUTE_HOME=.elute",
        "Folder for all that Elute writes: virtual environment, database, logs, dbt's output.",
        _folder,
    )
    seeds_dir: Path = _setting(  # noqa: RUF009
        "ELUTE_SEEDS_DIR=seeds", "Folder with the CSV files.", _folder
    )
    max_dropped_ratio: float = _setting(
        "ELUTE_MAX_DROPPED_RATIO=0.2",
        "A build stops if more than this part of a file's records is dropped, 0 to 1.",
        _ratio,
    )
    max_nulled_ratio: float = _setting(
        "ELUTE_MAX_NULLED_RATIO=0.5",
        "A build stops if more than this part of a column's values is unusable, 0 to 1.",
        _ratio,
    )
    csv_encoding: str = _setting(
        "ELUTE_CSV_ENCODING=utf-8",
        "Encoding of the CSV files that have no byte order mark, such as cp1252.",
        _encoding,
    )
    date_format: str = _setting(
        "ELUTE_DATE_FORMAT=YYYY-MM-DD",
        "How the files write dates, besides YYYY-MM-DD: such as DD/MM/YYYY or M/D/YYYY.",
        _date_format,
    )
    run_time_unit: str = _setting(
        "ELUTE_RUN_TIME_UNIT=",
        "Unit of the run times, such as min or s; shown, never computed with.",
        _unit,
    )
    web_host: str = _setting("ELUTE_HOST=127.0.0.1", "Address that `elute serve` listens on.")
    web_port: int = _setting(
        "ELUTE_PORT=5000", "Port that `elute serve` listens on.", _number(1, 65535)
    )
    tokens: Mapping[str, str] = _setting(
        "ELUTE_TOKEN=",
        "Bearer token that whatever changes something needs; several: 'NAME:TOKEN NAME:TOKEN'.",
        _tokens,
        is_secret=True,
    )
    read_token: str | None = _setting(
        "ELUTE_READ_TOKEN=",
        "Bearer token that reading needs; ELUTE_TOKEN reads too.",
        _token,
        is_secret=True,
    )
    is_insecure: bool = _setting(
        "ELUTE_INSECURE=0",
        "1 lets Elute listen on another address than this machine's own without ELUTE_TOKEN.",
        _switch,
    )
    trusted_proxies: int = _setting(
        "ELUTE_TRUSTED_PROXIES=0",
        "Number of proxies in a row in front; their X-Forwarded-For, -Proto, -Host, -Prefix hold.",
        _number(0),
    )
    cors_origins: tuple[str, ...] = _setting(
        "ELUTE_CORS_ORIGINS=",
        "Sites whose pages may read, separated by spaces, such as https://notebook.lab.example.",
        _origins,
    )
    schedule: str | None = _setting(
        "ELUTE_SCHEDULE=",
        "When to build by itself, as five cron fields such as '0 6 * * *', in the local time zone.",
        _schedule,
    )
    watches_files: bool = _setting(
        "ELUTE_WATCH=0", "1 builds when one of the files has changed and settled.", _switch
    )
    webhook_urls: tuple[str, ...] = _setting(
        "ELUTE_WEBHOOK_URL=",
        "Addresses that are told when runs fail, recover and publish, separated by spaces.",
        _urls,
        is_secret=True,
    )
    webhook_secret: str = _setting(
        "ELUTE_WEBHOOK_SECRET=",
        "Signs what they are told: whsec_ and 24 to 64 bytes in Base64.",
        _webhook_secret,
        is_secret=True,
    )
    apprise_urls: tuple[str, ...] = _setting(
        "ELUTE_APPRISE_URL=",
        "Addresses of mail and chats that are told the same, as Apprise writes them.",
        _apprise_urls,
        is_secret=True,
    )
    ping_url: str | None = _setting(
        "ELUTE_PING_URL=",
        "Address that is asked for as each run starts, succeeds and fails, as healthchecks wants.",
        _url,
        is_secret=True,
    )
    keep_runs: int = _setting(
        "ELUTE_KEEP_RUNS=500",
        "Runs whose progress and log are kept; of older ones only how they ended.",
        _number(1),
    )
    keep_builds: int = _setting(
        "ELUTE_KEEP_BUILDS=10", "Published builds whose tables are kept.", _number(1)
    )
    keep_files_mb: int = _setting(
        "ELUTE_KEEP_FILES_MB=2000",
        "Megabytes that the files of builds may take, to build from them again; 0 keeps none.",
        _number(0),
    )
    publish_wait_seconds: int = _setting(
        "ELUTE_PUBLISH_WAIT_SECONDS=60",
        "Seconds that a build waits, before it fails, for transactions that hold a mart.",
        _number(1, _MOST_SECONDS),
    )
    query_seconds: int = _setting(
        "ELUTE_QUERY_SECONDS=15",
        "Seconds that the query of an answer of a few rows may take.",
        _number(1, _MOST_SECONDS),
    )
    log_format: str = _setting(
        "ELUTE_LOG_FORMAT=text",
        "json makes the service write its log as JSON lines, with a line for each request.",
        _one_of("text", "json"),
    )
    postgres_user: str = _setting(
        "ELUTE_POSTGRES_USER=nobody",
        "Account that runs Elute's own PostgreSQL when root starts it (it refuses to run as root).",
    )
    engine: str = _setting(
        "ELUTE_ENGINE=postgres",
        "What does the work of a build: postgres or spark.",
        _one_of("postgres", "spark"),
    )
    spark_folder: str = _setting(
        "ELUTE_SPARK_FOLDER=",
        "Folder of a build on Spark that every worker sees by the same path, or s3://bucket/folder.",
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read and check every setting; an empty variable counts as not set.

        Raises:
            SettingsError: a value cannot be used; the message names the variable and the value.
        """
        values: dict[str, Any] = {}
        for each in fields(cls):
            name, default, _ = each.metadata["variable"]
            given = environment.get(name)
            text = given or default
            # Without PGHOST the port is of some other server, which may have several.
            if name == "PGPORT" and not values["host"]:
                text = default
            # A default is relative to the checkout, and what is given, to where we are.
            if each.type is Path and not given:
                text = str(CHECKOUT / default)
            try:
                values[each.name] = each.metadata["read"](text)
            except ValueError as error:
                raise SettingsError(f"{name} {error}.") from error
        settings = cls(**values)
        if settings.engine == "spark":
            _require_spark(settings, environment.get("SPARK_REMOTE", ""))
        return settings

    @property
    def kept_files(self) -> Path:
        """The folder with the files of builds, each called by its SHA-256."""
        return self.home / "kept-files"


VARIABLES = (
    *(each.metadata["variable"] for each in fields(Settings)),
    Variable(
        "SPARK_REMOTE",
        "",
        "Spark Connect server of such a build, as sc://spark.lab.example:15002.",
    ),
)


def _require_spark(settings: Settings, remote: str) -> None:
    if not re.match("sc://[^/;]", remote):  # The value may hold a token.
        raise SettingsError(
            "With ELUTE_ENGINE=spark, SPARK_REMOTE must be the address of a Spark Connect server, "
            "such as sc://spark.lab.example:15002."
        )
    # Here, too, there may be a secret in what is wrong.
    if not re.fullmatch(r"/+[^/].*|s3://[\w.-]+([/?].*)?", settings.spark_folder):
        raise SettingsError(
            "With ELUTE_ENGINE=spark, ELUTE_SPARK_FOLDER must be the whole path of a folder that "
            "every worker of Spark sees too, or s3://bucket/folder."
        )
    if not find_spec("pyspark"):
        raise SettingsError(
            f"ELUTE_ENGINE=spark needs more packages: {how_to_install('spark', sys.executable)}"
        )
