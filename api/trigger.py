"""`/trigger-etl`: start a build and wait for it."""

import re
import threading
import time
from typing import Any

import psycopg2
from flask import Blueprint, request
from werkzeug.exceptions import MethodNotAllowed

from api import access, database, parameters, problems, run_responses
from api.listener import POLL_SECONDS
from api.runs import Answer, ask_for_run, location
from elute.errors import EluteError
from elute.runs import queue
from elute.runs.run import Run

blueprint = Blueprint("trigger", __name__)
USUAL_WAIT = 60  # seconds
LONGEST_WAIT = 600
_LOOK_AGAIN = 5  # seconds, should word of a change be lost
# Each waiting request holds a thread; the others must stay free to answer.
_PLACES = threading.BoundedSemaphore(20)
_WAIT_PREFERENCE = re.compile(r"wait\s*=\s*(\d{1,6})", re.ASCII)


@blueprint.route("/trigger-etl", methods=["GET", "POST"])
@access.changes
def trigger() -> Answer:
    """Start a build, or join one that waits, and wait until it has ended or the time is up."""
    if request.method == "HEAD":  # Flask adds it to GET, and it must not start anything.
        raise MethodNotAllowed(["GET", "POST", "OPTIONS"])
    seconds = _seconds()
    asked = ask_for_run()
    run = asked.run if asked.current else _wait(asked.run, seconds)
    status = run_responses.status_of(run)
    message = asked._replace(run=run).message
    headers = {"Location": location(run)} if status == 202 else {}
    return _answer(status, message, headers, run=run.as_json())


@blueprint.errorhandler(Exception)
def refused(error: Exception) -> Answer:
    """Why there is no run to tell of, in the body that this route always has."""
    problem = problems.from_error(error)
    return _answer(problem.status, problem.detail, problem.headers)


def _seconds() -> float:
    if "wait" in request.args:
        return parameters.number("wait", request.args["wait"], 0, LONGEST_WAIT)
    preferences = request.headers.get("Prefer", "").lower()
    wait = _WAIT_PREFERENCE.search(preferences)
    if wait:
        return min(int(wait[1]), LONGEST_WAIT)
    return 0 if "respond-async" in preferences else USUAL_WAIT


def _wait(run: Run, seconds: float) -> Run:
    if seconds == 0 or not _PLACES.acquire(blocking=False):
        return run
    try:
        return _follow(run.run_id, time.monotonic() + seconds)
    finally:
        _PLACES.release()


def _follow(run_id: int, deadline: float) -> Run:
    """The run as it is when it has ended or the time is up; holds no session meanwhile.

    If its worker died, the run that makes up for it.
    """
    with database.current().listener.follow() as changes:
        while True:
            left = deadline - time.monotonic()
            try:
                run = run_responses.find(run_id, queue.latest_try)
                if run.has_ended or left <= 0:
                    return run
            except (EluteError, psycopg2.Error) as error:
                if left <= 0 or not problems.is_passing(error):
                    raise
                left = min(left, POLL_SECONDS)
            changes.wait(min(left, _LOOK_AGAIN))


def _answer(status: int, message: str, headers: dict[str, str], **more: Any) -> Answer:
    words = {200: "success", 202: "running"}
    body = {"status": words.get(status, "error"), "message": message, **more}
    return body, status, {**headers, "Cache-Control": "no-store"}
