"""Health checks of containers, which have no curl.

python -m elute.commands.probe web|worker
"""

import os
import sys
from contextlib import closing
from http.client import HTTPException

import psycopg2

from elute.database.sessions import connect
from elute.errors import EluteError
from elute.runs import queue
from elute.serve.lock import health
from elute.settings import Settings

_SECONDS = 4


def main(what: str) -> int:
    """Look whether it is well; 0 if it is, 1 if not, with the reason on standard error."""
    try:
        problem = _web() if what == "web" else _worker()
    except (EluteError, psycopg2.Error, HTTPException, OSError) as error:
        problem = str(error)
    if problem:
        print(problem, file=sys.stderr)
    return 1 if problem else 0


def _web() -> str | None:
    """Whether it answers; what it says without a database is for people to read."""
    status = health(Settings.from_environment(), _SECONDS)
    return None if status == 200 else f"/health/live answers {status}"


def _worker() -> str | None:
    """Whether somebody takes up runs: this worker, or one that it would relieve."""
    with closing(connect(os.environ)) as session:
        return None if queue.has_worker(session) else "no worker takes up runs"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
