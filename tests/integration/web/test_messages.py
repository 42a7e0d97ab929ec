"""What others were told of runs, over HTTP."""

from flask.testing import FlaskClient

from elute.database.queries import execute
from elute.database.sessions import Session
from elute.runs import queue
from tests.integration.web.conftest import ClientWith


def fail(session: Session) -> None:
    queue.request(session, "schedule")
    run = queue.start_next(session)
    assert run is not None
    queue.finish(session, run.run_id, "failed", error_kind="build")


def test_they_are_shown_and_sent_again(client_with: ClientWith, session: Session) -> None:
    client = client_with(tokens={"token-of-anna-1234": "anna"}, read_token=None)
    bearer = {"Authorization": "Bearer token-of-anna-1234"}
    execute(session, "note_receivers", {"receivers": ["lims.example 0a1b2c"]})
    fail(session)
    [message] = client.get("/messages").get_json()["messages"]
    number = message["message_number"]
    assert (message["run_id"], message["type"], message["deliveries"]) == (1, "run.failed", [])
    assert client.post(f"/messages/{number}/resend", headers=bearer).status_code == 404
    execute(session, "plan_deliveries", {"receivers": ["lims.example 0a1b2c"]})
    session.cursor().execute("update elute.deliveries set attempts = 9, next_attempt_at = null")
    assert client.post(f"/messages/{number}/resend").status_code == 401
    assert client.post(f"/messages/{number}/resend", headers=bearer).status_code == 202
    [delivery] = client.get("/messages").get_json()["messages"][0]["deliveries"]
    assert (delivery["receiver"], delivery["attempts"]) == ("lims.example 0a1b2c", 0)
    assert delivery["next_attempt_at"]
    [change] = client.get("/audit?limit=1").get_json()["changes"]
    found = (change["who"], change["action"], change["subject"])
    assert found == ("anna", "resend", f"message {number}")


def test_older_ones_are_a_page_further(client: FlaskClient, session: Session) -> None:
    for _ in range(2):
        fail(session)
        queue.request(session, "schedule")
        run = queue.start_next(session)
        assert run is not None
        queue.finish(session, run.run_id, "succeeded")
    first = client.get("/messages?limit=3").get_json()
    second = client.get(first["next"]).get_json()
    types = [each["type"] for each in [*first["messages"], *second["messages"]]]
    assert types == 2 * ["run.recovered", "run.failed"]
    assert second["next"] is None
