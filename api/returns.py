"""`/builds/{n}/publish` and `/builds/{n}/rebuild`: return to an earlier build, make one again."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from flask import Blueprint, current_app
from immutable_builds import PublishingError

from api import audit, database, parameters
from api.marts.published import no_such_build
from api.problems import Problem
from api.runs import answer, ask_for_run
from elute import provenance, returns
from elute.database import history
from elute.database.sessions import Session
from elute.provenance import RebuildError
from elute.runs import queue
from elute.runs.run import Published

blueprint = Blueprint("returns", __name__)


Answer: TypeAlias = tuple[dict[str, Any], int, dict[str, str]]


@blueprint.post("/builds/<int:build>/publish")
def publish(build: int) -> Answer:
    """Return to an earlier build: at once, or by a run if its tables are gone."""
    settings, who = current_app.config["SETTINGS"], parameters.requested_by()
    reason = parameters.reason()

    def return_to(session: Session) -> tuple[int | None, bool, bool]:
        earlier, [newest] = _find(session, build), history.page(session, 1)
        number = returns.return_to(session, settings, earlier, who, reason)
        return number, number == newest["build"], bool(queue.execute(session, "running"))

    try:
        number, is_same, is_building = database.current().owner.read(return_to)
    except PublishingError as error:
        raise Problem(409, "Not published", str(error)) from error
    if number is None:
        return _build_again(build, {"reason": reason} if reason else {})
    if not is_same:
        audit.note("return", f"build {build}")
    message = f"Build {build} is published{' already' if is_same else ''}, as build {number}."
    if is_building:
        message += " The build that is going on will replace it."
    return {"build": number, "returns_to": build, "message": message}, 200, {}


@blueprint.post("/builds/<int:build>/rebuild")
def rebuild(build: int) -> Answer:
    """Ask for a run that builds from the files and options of an earlier build."""
    return _build_again(build, {})


def _build_again(build: int, why: Mapping[str, str]) -> Answer:
    def find(session: Session) -> tuple[Published, list[str]]:
        found = _find(session, build)
        return found, provenance.changed_versions(found, session)

    published, changed = database.current().owner.read(find)
    try:
        provenance.kept_files(current_app.config["SETTINGS"], published)
    except RebuildError as error:
        raise Problem(410, "Not to be built again", str(error)) from error
    body, status, headers = answer(ask_for_run({"returns_to": build, **why}))
    if changed:
        body["message"] += (
            f" What builds has changed since build {build} ({', '.join(changed)}), so that what "
            "comes of its files may be something else."
        )
    return body, status, headers


def _find(session: Session, build: int) -> Published:
    found = queue.find_build(session, build) if build <= parameters.LARGEST_ID else None
    if found is None:
        raise no_such_build(build)
    return found
