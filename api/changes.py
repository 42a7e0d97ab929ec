"""What changed between two builds: how much, with samples, and every row before and after."""

import json
import threading
from typing import Any

from flask import Blueprint, Response, abort, current_app, url_for
from psycopg2 import errors

from api import database, parameters
from api.marts import media
from api.marts.published import figures, find_in, no_longer_kept, no_such_build, numbered
from api.marts.responses import respond_from
from api.marts.sending import again, for_ever, is_not_modified, place, to_save
from api.problems import Problem
from elute.database import history
from elute.database.builds import Build, Mart
from elute.database.changes import compare
from elute.database.sessions import Session
from elute.file_changes import between

blueprint = Blueprint("changes", __name__)
MOST_AT_ONCE = 4  # Each reads two builds whole, with a session that small answers wait for.
_FORMAT = "1"  # another number when the same changes come to look different
_COMPARISONS = threading.BoundedSemaphore(MOST_AT_ONCE)


@blueprint.get("/builds/<int:build>/changes")
def show(build: int) -> Response:
    """Per mart, how many rows were added, removed and changed since `?from=`, and some of them."""

    def read(session: Session) -> Response:
        after = numbered(session, build)
        before = numbered(session, _earlier(session, build))
        headers = {
            "ETag": f'"{_FORMAT}-{before.invocation_id}-{after.invocation_id}"',
            **for_ever(),
        }
        if is_not_modified(headers):
            return Response(status=304, headers=headers)
        return Response(_changes(session, before, after), content_type=media.JSON, headers=headers)

    with place(_COMPARISONS):
        return again(lambda: database.current().reader.read(read))


@blueprint.get("/builds/<int:build>/changes/<name>")
def rows(build: int, name: str) -> Response:
    """The rows of a mart that are not the same since `?from=`, as they were and as they are."""
    return _rows(build, name, media.negotiated())


@blueprint.get("/download/builds/<int:build>/changes/<name>.<extension>")
def download(build: int, name: str, extension: str) -> Response:
    """The same as a file to save."""
    if extension not in media.EXTENSIONS:
        abort(404)
    response = _rows(build, name, media.EXTENSIONS[extension])
    return to_save(response, f"{name}-changes-{build}", extension)


def _rows(build: int, name: str, media_type: str) -> Response:
    def look(session: Session) -> tuple[Build, Mart]:
        _, before = find_in(session, _earlier(session, build), name)
        found, after = find_in(session, build, name)
        return found, compare(session, before, after).rows

    with place(_COMPARISONS):
        return respond_from(look, media_type, "from")


@blueprint.get("/builds/<int:build>/file-changes")
def file_changes(build: int) -> dict[str, Any]:
    """Which records of the input files are not the same as those of the build `?from=`."""
    settings = current_app.config["SETTINGS"]

    def read(session: Session) -> dict[str, Any]:
        earlier = _earlier(session, build)
        before, after = (history.find(session, number) for number in (earlier, build))
        if before is None or after is None:
            raise no_such_build(earlier if before is None else build)
        return between(session, settings, before, after)

    with place(_COMPARISONS):
        try:
            return database.current().owner.read(read)
        except errors.QueryCanceled as error:
            detail = "The files are too large to be compared here; both are in kept-files."
            raise Problem(503, "Took too long", detail) from error


def _earlier(session: Session, number: int) -> int:
    """The build that `from` names, else the one that was published before this."""
    given = parameters.whole_number("from", 0, parameters.LARGEST_ID)
    if given is not None:
        return given
    numbered(session, number)
    for build in history.page(session, 1, before=number):
        return int(build["build"])
    raise Problem(
        404, "Nothing to compare with", f"There is no build before {number}; name one with ?from=."
    )


def _changes(session: Session, before: Build, after: Build) -> str:
    both = sorted(after.marts.keys() & before.marts.keys())
    kept = [name for name in both if before.marts[name].columns and after.marts[name].columns]
    if both and not kept:
        gone = after if before.marts[both[0]].columns else before
        raise no_longer_kept(session, gone.number)
    told = {
        "build": after.number,
        "from": before.number,
        "new_marts": sorted(after.marts.keys() - before.marts.keys()),
        "gone_marts": sorted(before.marts.keys() - after.marts.keys()),
        "not_kept": sorted(set(both) - set(kept)),
    }
    compared = ", ".join(_compared(session, before, after, name) for name in kept)
    return f'{json.dumps(told)[:-1]}, "marts": [{compared}]}}'


def _compared(session: Session, before: Build, after: Build, name: str) -> str:
    """A mart's part of the answer; the numbers of the rows are as PostgreSQL writes them."""
    comparison = compare(session, before.marts[name], after.marts[name])
    path = f"{url_for('changes.rows', build=after.number, name=name)}?from={before.number}"
    told = {
        "name": name,
        "path": path,
        "key": comparison.key,
        "new_columns": comparison.new,
        "gone_columns": comparison.gone,
    }
    try:
        [[counts]] = figures(session, comparison.summary, [])
    except errors.QueryCanceled as error:
        detail = (
            f"To compare {name} takes longer than ELUTE_QUERY_SECONDS. Ask for its rows at {path}, "
            "which may take longer, or set more seconds."
        )
        raise Problem(503, "Took too long", detail) from error
    return f"{json.dumps(told)[:-1]}, {counts.lstrip()[1:]}"
