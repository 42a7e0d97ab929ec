"""`elute env`: everything plain `dbt` and `psql` need, as lines for a POSIX shell."""

import os
import shlex
import sys
import sysconfig

from api.connection import connection_environment
from api.embedded.bundle import bundled
from api.settings import CHECKOUT, Settings

# libpq lets these win over PGHOST.
_OVERRIDING = ("PGSERVICE", "PGHOSTADDR")


def run(settings: Settings) -> int:
    """Start the server if need be and print the `export` lines, and nothing else, to stdout."""
    lines = [
        f"export {name}={shlex.quote(value)}\n" for name, value in environment(settings).items()
    ]
    # As bytes: a path need not be text in the terminal's encoding.
    sys.stdout.buffer.write(os.fsencode("".join(lines)))
    sys.stdout.flush()
    for name in _OVERRIDING:
        if os.environ.get(name):
            print(f"elute: {name} is set and would win over PGHOST: unset it.", file=sys.stderr)
    return 0


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
    }


def project_environment(settings: Settings) -> dict[str, str]:
    """What dbt needs to know of the project, and nothing of a server."""
    return {
        **dbt_environment(settings),
        "ELUTE_HOME": str(settings.home),
        "ELUTE_SEEDS_DIR": str(settings.seeds_dir),
        "ELUTE_MAX_DROPPED_RATIO": str(settings.max_dropped_ratio),
        "ELUTE_KEEP_BUILDS": str(settings.keep_builds),
        "ELUTE_PUBLISH_WAIT_SECONDS": str(settings.publish_wait_seconds),
    }


def _path(path: str) -> str:
    """Our dbt first; our psql last, for machines that have none."""
    first, last = sysconfig.get_path("scripts"), str(bundled())
    others = [folder for folder in path.split(os.pathsep) if folder not in (first, last)]
    return os.pathsep.join([first, *others, last])
