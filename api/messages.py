"""`/messages`: what receivers outside were told of runs, and telling them again."""

from typing import Any

from flask import Blueprint, url_for

from api import audit, database, parameters
from api.problems import Problem
from elute.database.sessions import Session
from elute.runs import queue

blueprint = Blueprint("messages", __name__)
_MOST, _MOST_UNASKED = 500, 50


@blueprint.get("/messages")
def show_some() -> dict[str, Any]:
    """The newest messages, or those before another, with what became of each."""
    limit = parameters.whole_number("limit", 1, _MOST) or _MOST_UNASKED
    before = parameters.whole_number("before", 1, parameters.LARGEST_ID)
    values = {"limit": limit, "before": before}
    messages = database.current().owner.read(
        lambda session: queue.execute(session, "messages", values)
    )
    last = messages[-1]["message_number"] if len(messages) == limit else None
    return {
        "messages": [
            {**message, "created_at": message["created_at"].isoformat()} for message in messages
        ],
        "next": last and url_for("messages.show_some", limit=limit, before=last),
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
