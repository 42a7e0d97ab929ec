"""`/audit`: what was changed over HTTP, when, and by whom."""

import logging
from operator import itemgetter
from typing import Any

import psycopg2
from flask import Blueprint

from api import access, database, parameters
from elute.database.queries import execute
from elute.errors import EluteError

blueprint = Blueprint("audit", __name__)
_LOG = logging.getLogger("elute.web")


def note(action: str, subject: str) -> None:
    """Note that this request has changed something; in the log if there is no database."""
    values = {
        "who": access.owner() or None,
        "asked_from": parameters.asked_from(),
        "action": action,
        "subject": subject,
    }
    try:
        database.current().owner.read(lambda session: execute(session, "note_change", values))
    except (EluteError, psycopg2.Error) as error:
        _LOG.warning("Not in the audit trail: %s (%s)", values, " ".join(str(error).split()))


@blueprint.get("/audit")
def show_some() -> dict[str, Any]:
    """The newest changes, or those before another."""
    changes, following = parameters.page(
        database.current().owner,
        lambda session, **page: execute(session, "changes", page),
        itemgetter("change_number"),
    )
    return {"changes": changes, "next": following}
