"""`/builds`: what was published, the marts of each, which never change, and returning to one."""

from collections.abc import Mapping
from contextlib import ExitStack, closing
from operator import itemgetter
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, current_app, url_for
from immutable_builds import PublishingError
from pgrest_query import parse
from psycopg2 import sql

from api import audit, database, parameters
from api.marts import media, past
from api.marts.copying import Copy
from api.marts.published import as_json, find, find_in, no_longer_kept, no_such_build, numbered
from api.marts.responses import respond_from
from api.marts.sending import again, for_ever, has_client_gone, streamed
from api.problems import Problem
from api.runs import Answer, answer, ask_for_run
from elute import data_package, provenance, returns
from elute.archive import Blocks
from elute.database import history
from elute.database.builds import Build, Mart
from elute.database.history import Published
from elute.database.over_builds import over_builds
from elute.database.queries import execute
from elute.database.sessions import Session
from elute.provenance import RebuildError

blueprint = Blueprint("builds", __name__)


@blueprint.get("/builds")
def show_some() -> dict[str, Any]:
    """The newest builds, or those before another."""
    reader = database.current().reader
    builds, following = parameters.page(reader, history.page, itemgetter("build"))
    return {"builds": [_as_json(build) for build in builds], "next": following}


@blueprint.get("/builds/<int:build>")
def show(build: int) -> dict[str, Any]:
    """One build."""
    found = database.current().reader.read(lambda session: history.one(session, build))
    if found is None:
        raise no_such_build(build)
    return _as_json(found)


@blueprint.get("/builds/<int:build>/marts")
def marts(build: int) -> list[dict[str, Any]]:
    """The marts of a build, and what is in them; of those no longer kept no columns."""
    found = database.current().reader.read(lambda session: numbered(session, build))
    path = url_for("builds.marts", build=build)
    return [as_json(found, mart, path) for mart in found.marts.values()]


@blueprint.get("/builds/<int:build>/marts/<name>")
def mart(build: int, name: str) -> Response:
    """Rows of a mart of a build, in the query language of PostgREST."""
    response = respond_from(lambda session: find_in(session, build, name), media.negotiated())
    response.headers["Memento-Datetime"] = response.headers["Last-Modified"]
    response.headers["Link"] = past.original(url_for("marts.mart", name=name))
    return response


@blueprint.get("/builds/marts/<name>")
def mart_over_builds(name: str) -> Response:
    """Rows of a mart in all builds that are kept, each with its build."""

    def look(session: Session) -> tuple[Build, Mart]:
        newest, mart = find(session, name)
        return newest, over_builds(session, mart)

    return respond_from(look, media.negotiated(), is_fixed=False)


@blueprint.get("/builds/<int:build>/package.zip")
def package(build: int) -> Response:
    """The marts as CSV, what is in them, what they were made from and by which SQL, checksums."""
    return again(lambda: _package(build))


def _package(number: int) -> Response:
    is_abandoned = has_client_gone()
    headers = {
        "Content-Disposition": f'attachment; filename="elute-build-{number}.zip"',
        **for_ever(),
    }
    with ExitStack() as stack:
        session = stack.enter_context(database.current().streams.session())
        build = numbered(session, number)
        if not all(mart.columns for mart in build.marts.values()):
            raise no_longer_kept(session, number)
        _hold(session, build)

        def rows(mart: Mart) -> Blocks:
            copied = media.statement(session, parse(mart.table, ""), media.CSV)
            with closing(Copy(session, copied, is_abandoned)) as copy:
                yield from iter(copy.read, b"")

        return streamed(
            data_package.package(build, rows),
            lambda body, _: Response(body, content_type="application/zip", headers=headers),
            stack,
        )


def _hold(session: Session, build: Build) -> None:
    """Keep the tables from being dropped, until the session is closed for being in a transaction.

    Raises:
        psycopg2.errors.UndefinedTable: they have been, just now.
    """
    names = [sql.Identifier(mart.table.schema, mart.table.name) for mart in build.marts.values()]
    lock = sql.SQL("begin; lock table {} in access share mode").format(sql.SQL(", ").join(names))
    with session.cursor() as cursor:
        cursor.execute(lock)


@blueprint.post("/builds/<int:build>/publish")
def publish(build: int) -> Answer:
    """Return to an earlier build: at once, or by a run if its tables are gone."""
    settings, who = current_app.config["SETTINGS"], parameters.requested_by()
    reason = parameters.reason()

    def return_to(session: Session) -> tuple[int | None, bool, bool]:
        earlier, [newest] = _find(session, build), history.page(session, 1)
        number = returns.return_to(session, settings, earlier, who, reason)
        return number, number == newest["build"], bool(execute(session, "running"))

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
    found = history.find(session, build)
    if found is None:
        raise no_such_build(build)
    return found


def _as_json(build: dict[str, Any]) -> dict[str, Any]:
    path = url_for("builds.show", build=build["build"])
    return {
        **build,
        "marts": [{"name": name, "path": f"{path}/marts/{quote(name)}"} for name in build["marts"]],
    }
