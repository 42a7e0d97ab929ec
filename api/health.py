"""`/health/live` and `/health/ready`: for whoever starts this process and watches over it."""

from collections.abc import Mapping
from contextlib import closing
from typing import Any

import psycopg2
from flask import Blueprint

from api import database
from api.access import open_to_all
from elute.database import history, schema
from elute.database.sessions import Session
from elute.errors import EluteError
from elute.runs import queue

blueprint = Blueprint("health", __name__)
_HEADERS = {"Cache-Control": "no-store"}
_VERSION = "select max(version) from elute.schema_versions"


@blueprint.get("/health/live")
@open_to_all
def live() -> tuple[dict[str, str], int, dict[str, str]]:
    """Whether this process answers."""
    return {"status": "live"}, 200, _HEADERS


@blueprint.get("/health/ready")
@open_to_all
def ready() -> tuple[dict[str, Any], int, dict[str, str]]:
    """Whether there is something to serve: 200, or 503 and what is missing."""
    try:
        # With a new session: a server that shuts down goes on with those that it has.
        with closing(database.current().connect()) as session:
            found, is_ready = _components(session)
    except (EluteError, psycopg2.Error):
        unknown = dict.fromkeys(("schema", "marts", "worker"), "unknown")
        found, is_ready = {"database": "not reachable", **unknown}, False
    word = "ready" if is_ready else "not ready"
    return {"status": word, **found}, 200 if is_ready else 503, _HEADERS


def _components(session: Session) -> tuple[dict[str, str], bool]:
    with session.cursor() as cursor:
        cursor.execute(_VERSION)
        is_current = cursor.fetchone() == (len(schema.migrations()),)
    newest = next(iter(history.page(session, 1)), None)
    has_worker = queue.has_worker(session)
    found = {
        "database": "reachable",
        "schema": "up to date" if is_current else "of another version",
        "marts": _marts(newest),
        # For information: what is built is served without a worker.
        "worker": "running" if has_worker else "not running",
    }
    return found, is_current and newest is not None


def _marts(newest: Mapping[str, Any] | None) -> str:
    if newest is None:
        return "not built yet"
    # The others are served, and so is what builds them again.
    return "built" if newest["is_kept"] else "built, but a table is missing"
