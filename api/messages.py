"""`/messages`: what receivers outside were told of runs, and telling them again."""

from typing import Any

from flask import Blueprint

from api import audit, database, parameters
from api.problems import Problem
from elute.database.sessions import Session
from elute.runs import queue

blueprint = Blueprint("messages", __name__)


@blueprint.get("/messages")
def show_some() -> dict[str, Any]:
    """The newest messages, or those before another, with what became of each."""
    limit, before = parameters.page()
    values = {"limit": limit, "before": before}
    messages = database.current().owner.read(
        lambda session: queue.execute(session, "messages", values)
    )
    return {
        "messages": [
            {**message, "created_at": message["created_at"].isoformat()} for message in messages
        ],
        "next": parameters.next_page(limit, [each["message_number"] for each in messages]),
    }


@blueprint.post("/messages/<int:message>/resend")
def resend(message: int) -> tuple[dict[str, Any], int]:
    """Have the worker send a message again, to each of its receivers."""

    def ask(session: Session) -> list[dict[str, Any]]:
        found = queue.execute(session, "resend", {"message_number": message})
        queue.execute(session, "notify_messages", {"payload": ""})
        return found

    known = message <= parameters.LARGEST_ID
    receivers = database.current().owner.read(ask) if known else []
    if not receivers:
        raise Problem(
            404,
            "No such message",
            f"No receiver is known for a message {message}; /messages lists those there are.",
        )
    audit.note("resend", f"message {message}")
    return {"message": f"Message {message} is sent again, to {len(receivers)}."}, 202
