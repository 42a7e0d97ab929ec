"""`/messages`: what receivers outside were told of runs, and telling them again."""

from operator import itemgetter
from typing import Any

from flask import Blueprint

from api import audit, database, parameters
from api.problems import Problem
from elute.database.queries import execute
from elute.database.sessions import Session

blueprint = Blueprint("messages", __name__)


@blueprint.get("/messages")
def show_some() -> dict[str, Any]:
    """The newest messages, or those before another, with what became of each."""
    messages, following = parameters.page(
        database.current().owner,
        lambda session, **page: execute(session, "messages", page),
        itemgetter("message_number"),
    )
    return {"messages": messages, "next": following}


@blueprint.post("/messages/<int:message>/resend")
def resend(message: int) -> tuple[dict[str, Any], int]:
    """Have the worker send a message again, to each of its receivers."""

    def ask(session: Session) -> list[dict[str, Any]]:
        found = execute(session, "resend", {"message_number": message})
        execute(session, "notify_messages", {"payload": ""})
        return found

    receivers = database.current().owner.read(ask)
    if not receivers:
        raise Problem(
            404,
            "No such message",
            f"No receiver is known for a message {message}; /messages lists those there are.",
        )
    audit.note("resend", f"message {message}")
    return {"message": f"Message {message} is sent again, to {len(receivers)}."}, 202
