"""Returning to an earlier build: its tables are published once more."""

import logging
from uuid import uuid4

import immutable_builds
from psycopg2 import errors

from elute.database.history import Published
from elute.database.queries import execute
from elute.database.sessions import Session
from elute.settings import Settings

logger = logging.getLogger("elute")


def return_to(
    session: Session, settings: Settings, earlier: Published, requested_by: str, reason: str | None
) -> int | None:
    """Publish an earlier build again, in one transaction, whether or not a run goes on.

    Args:
        session: in autocommit mode.
        settings: how long to wait for those who hold a mart.
        earlier: the build.
        requested_by: who has asked for it.
        reason: and why.

    Returns:
        The number that it has now, which is that of before if it is published; None if its tables
        are gone.

    Raises:
        immutable_builds.PublishingError: others are in the way; the message says who.
    """
    tables = execute(session, "tables_of_build", {"build": earlier.build})
    # Of those that explain the marts, only the newest two builds' are kept.
    if any(not table["is_there"] and not table["is_kept_shorter"] for table in tables):
        return None
    build = immutable_builds.Build(
        schema="builds",
        invocation_id=str(uuid4()),
        marts={table["name"]: table["entry"] for table in tables if table["is_there"]},
        files=earlier.files,
        options=earlier.options,
        project_version=earlier.project_version,
        versions=earlier.versions,
        run_id=earlier.run_id,
        lock=None,
        returns_to=earlier.build,
        requested_by=requested_by,
        reason=reason,
    )

    def tell(number: int) -> None:
        execute(session, "note_return", {"build": number})
        execute(session, "notify_messages", {"payload": ""})

    seconds = settings.publish_wait_seconds
    try:
        return immutable_builds.publish(session, build, seconds, logger.info, tell)
    except errors.UndefinedTable:
        return None  # Another build has dropped them in this moment.
