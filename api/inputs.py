"""`/inputs`: look at the input files, download them, and replace them."""

import os
from pathlib import Path
from typing import Any

import psycopg2
from flask import Blueprint, Response, current_app, request, send_file
from seed_csv import Report
from werkzeug.datastructures import ETags
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from api import audit, database, parameters, uploads
from api.problems import Problem
from elute import inputs as input_files
from elute import rehearsal, workbooks
from elute.errors import EluteError
from elute.inputs import Version

blueprint = Blueprint("inputs", __name__)


@blueprint.get("/inputs")
def show_all() -> dict[str, Any]:
    """What is in each input file, and what is wrong with it."""
    return {"inputs": [_describe(name) for name in input_files.columns()]}


@blueprint.get("/inputs/<name>")
def download(name: str) -> Response:
    """One input file, as it is."""
    _require_known(name)
    try:
        file = input_files.path_of(current_app.config["SETTINGS"], name).open("rb")
    except PermissionError:
        detail = f"{name} is out of reach: let the account that Elute runs as read it."
        raise Problem(404, "No such file", detail) from None
    except OSError:  # Nothing, a folder, or what is in no folder.
        raise Problem(404, "No such file", f"There is no {name} yet; PUT one.") from None
    # Of the open file: in the meantime its name may stand for another one.
    version = Version.of(os.fstat(file.fileno()))
    response = send_file(
        file,
        mimetype="text/csv",
        etag=version.etag,
        last_modified=version.modified_at,
        conditional=False,
        max_age=0,
    )
    response.content_length = version.bytes
    try:
        response.make_conditional(request, accept_ranges=True, complete_length=version.bytes)
        if response.status_code == 412:
            raise _another()
    except (Problem, RequestedRangeNotSatisfiable):
        response.close()
        raise
    return response


@blueprint.put("/inputs/<name>")
def replace(name: str) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Check a file and put it in the place of an input file; `?dry_run=1` only checks."""
    _require_known(name)
    dry_run = parameters.switch("dry_run")
    settings = current_app.config["SETTINGS"]
    # Each is looked at again below: now it saves a long upload, then it is certain.
    _require_match(input_files.version_of(settings, name))
    with (
        uploads.disk_problems(),
        input_files.scratch_file(settings, name, beside=not dry_run) as received,
    ):
        uploads.receive(received)
        report = _require_good(workbooks.check(settings, name, received))
        if dry_run:
            stops = _rehearsed(name, received)
            return {"dry_run": True, **_contents(name, report), "stops": stops}, 200, {}
        with input_files.turn(settings):
            before = input_files.version_of(settings, name)
            _require_match(before)
            kept = input_files.swap(settings, name, received)
            body = {**_describe(name), "kept_as": kept}  # Before anybody else can replace it.
    audit.note("upload", name)
    return body, 200 if before else 201, {"ETag": f'"{body["etag"]}"'}


def _rehearsed(name: str, received: Path) -> list[str]:
    """What would stop a build with this file; nothing without a database to ask."""
    try:
        with database.current().owner.session() as session:
            return rehearsal.findings(session, current_app.config["SETTINGS"], name, received)
    except (EluteError, psycopg2.Error):
        return []


def _require_known(name: str) -> None:
    names = input_files.columns()
    if name not in names:
        raise Problem(404, "No such file", f"The input files are called {', '.join(names)}.")


def _describe(name: str) -> dict[str, Any]:
    settings = current_app.config["SETTINGS"]
    version = input_files.version_of(settings, name)
    newer = workbooks.newer_workbook(settings.seeds_dir, name)
    about = {
        "exists": version is not None,
        "bytes": version and version.bytes,
        "modified_at": version and version.modified_at.isoformat(),
        "etag": version and version.etag,
        "workbook": newer and newer.name,
        "can_be_replaced": input_files.can_be_replaced(settings, name),
        "replaced": [path.name for path in input_files.replaced(settings, name)],
    }
    file = input_files.path_of(settings, name), name, settings.csv_encoding
    report = input_files.report_on(*file, version) if version else input_files.check(*file)
    return {**about, **_contents(name, report)}


def _contents(name: str, report: Report) -> dict[str, Any]:
    return {
        "name": name,
        "records": report.records,
        "columns": list(report.columns),
        "extra_columns": list(report.extra_columns),
        "problems": _problems(report),
    }


def _problems(report: Report) -> list[dict[str, Any]]:
    return [
        {"file": problem.file, "line": problem.line, "reason": problem.message}
        for problem in report.problems
    ]


def _require_good(report: Report) -> Report:
    if not report.problems:
        return report
    problems = _problems(report)
    more = f" ({len(problems)} problems in all.)" if len(problems) > 1 else ""
    raise Problem(
        422,
        "The file cannot be used",
        f"{report.problems[0]}.{more} The file that is there stays.",
        **problems[0],
        problems=problems,
    )


def _require_match(version: Version | None) -> None:
    """Refuse to overwrite what the client has not seen, if it says what it has seen."""
    wanted, unwanted = request.if_match, request.if_none_match
    if (wanted and not _covers(wanted, version)) or (unwanted and _covers(unwanted, version)):
        raise _another()


def _another() -> Problem:
    return Problem(
        412,
        "The file is another one by now",
        "Somebody has replaced it since you looked. Look at it again, then decide.",
    )


def _covers(etags: ETags, version: Version | None) -> bool:
    return version is not None and etags.contains(version.etag)
