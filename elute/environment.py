"""The environment of dbt and of our own sessions: made here, whatever the shell carries."""

import os
import re
import shlex
import sys
import sysconfig

from elute.database.own_server import programs
from elute.database.server import connection_environment, is_embedded
from elute.settings import CHECKOUT, Settings

# dbt takes its options from variables too, by an old name (DBT_X) and a new one (DBT_ENGINE_X).
# Without the byte code that Python was told not to keep, each start of dbt takes two seconds more.
_FOREIGN = r"DBT_\w+|PGDATESTYLE|PYTHONDONTWRITEBYTECODE"
# https://www.postgresql.org/docs/current/libpq-envars.html: all but PGAPPNAME, which names our
# sessions as somebody wishes. PGDATA is none of libpq's.
_LIBPQ = r"(?!PGAPPNAME$|PGDATA$)PG[A-Z]+|PGCONNECT_TIMEOUT"


def run(settings: Settings) -> int:
    """`elute env`: what plain `dbt` and `psql` need, as lines for a POSIX shell.

    Starts the server if need be, and prints `unset` and `export` lines and nothing else to stdout.
    """
    foreign = drop_foreign(settings)
    ours = environment(settings)
    lines = [f"unset {name}\n" for name in foreign if name not in ours]
    lines += [f"export {name}={shlex.quote(value)}\n" for name, value in ours.items()]
    # As bytes: a path need not be text in the terminal's encoding.
    sys.stdout.buffer.write(os.fsencode("".join(lines)))
    sys.stdout.flush()
    if os.environ.get("PGSERVICE"):
        print("elute: PGSERVICE is set, and psql lets it win over PGHOST.", file=sys.stderr)
    return 0


def adopt(settings: Settings) -> None:
    """Make our own environment, and so our children's, the one for dbt and for our sessions.

    Raises:
        ServerError: Elute's own server cannot be started.
    """
    drop_foreign(settings)
    os.environ.update(environment(settings))


def drop_foreign(settings: Settings) -> list[str]:
    """Remove from our environment what another project left there for dbt or libpq; its names.

    A server that PGHOST names is reached as libpq is told to, but for how it writes dates.

    Raises:
        ServerError: the folder of Elute's own server belongs to another account.
    """
    pattern = f"{_FOREIGN}|{_LIBPQ}" if is_embedded(settings) else _FOREIGN
    names = sorted(name for name in os.environ if re.fullmatch(pattern, name, re.ASCII))
    for name in names:
        del os.environ[name]
    return names


def environment(settings: Settings) -> dict[str, str]:
    """The variables that make `dbt` and `psql` work on this project from any folder.

    Raises:
        ServerError: Elute's own server cannot be started.
    """
    return {
        **connection_environment(settings),
        **project_environment(settings),
        "PATH": _path(os.environ.get("PATH", os.defpath)),
    }


def dbt_environment(settings: Settings) -> dict[str, str]:
    """The variables that tell dbt where the project is, and to write below `ELUTE_HOME` only."""
    return {
        "DBT_PROJECT_DIR": str(CHECKOUT / "dbt_project"),
        "DBT_PROFILES_DIR": str(CHECKOUT),
        "DBT_TARGET_PATH": str(settings.home / "target"),
        "DBT_LOG_PATH": str(settings.home / "logs"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "0",
        "DBT_VERSION_CHECK": "0",
        # dbt 1.12 reads a .env in the working folder or any above it.
        "PYTHON_DOTENV_DISABLED": "1",
    }


def project_environment(settings: Settings) -> dict[str, str]:
    """What dbt needs to know of the project, and nothing of a server."""
    return {
        **dbt_environment(settings),
        "ELUTE_HOME": str(settings.home),
        "ELUTE_SEEDS_DIR": str(settings.seeds_dir),
        "ELUTE_MAX_DROPPED_RATIO": str(settings.max_dropped_ratio),
        "ELUTE_MAX_NULLED_RATIO": str(settings.max_nulled_ratio),
        "ELUTE_CSV_ENCODING": settings.csv_encoding,
        "ELUTE_DATE_FORMAT": settings.date_format,
        "ELUTE_RUN_TIME_UNIT": settings.run_time_unit,
        "ELUTE_KEEP_BUILDS": str(settings.keep_builds),
        "ELUTE_KEEP_FILES_MB": str(settings.keep_files_mb),
        "ELUTE_KEPT_FILES": str(settings.kept_files) if settings.keep_files_mb else "",
        "ELUTE_PUBLISH_WAIT_SECONDS": str(settings.publish_wait_seconds),
        "ELUTE_ENGINE": settings.engine,
        "ELUTE_SPARK_FOLDER": settings.spark_folder,
    }


def _path(path: str) -> str:
    """Our dbt first; our psql last, for machines that have none."""
    first, last = sysconfig.get_path("scripts"), str(programs())
    others = [folder for folder in path.split(os.pathsep) if folder not in (first, last)]
    return os.pathsep.join([first, *others, last])
