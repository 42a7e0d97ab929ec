"""Workbooks (.xlsx) where a CSV file is expected: made that file before anything else sees it."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from immutable_builds import STAYS
from seed_csv import Report, SeedFileError

from elute import inputs, workbook_reader
from elute.errors import EluteError
from elute.inputs import Version, columns
from elute.settings import Settings

_ONE_AT_A_TIME = threading.Lock()  # Each may take a GB of memory.
_CHECK_SECONDS = 0.25
_UNREADABLE = (
    "this is no Excel workbook (.xlsx), or it is damaged; open it, and save it as .xlsx or as CSV "
    "UTF-8"
)


class WorkbookError(EluteError):
    """A workbook in the folder of the files cannot take the place of one."""


def is_workbook(path: Path) -> bool:
    """Whether a file begins as a workbook does."""
    with suppress(OSError), path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"
    return False


def check(settings: Settings, name: str, path: Path, called: str | None = None) -> Report:
    """Make a file that has come, if it is a workbook, the CSV file `name`; say what is in it.

    Args:
        settings: how files are read.
        name: the input file that it stands for.
        path: the file, ours to change.
        called: what to call it in messages.
    """
    if not is_workbook(path):
        return inputs.check(path, name, settings.csv_encoding)
    made = path.with_name(f"{path.name}.unfinished")
    try:
        convert(settings, name, path, made, called or name)
        made.replace(path)
    except SeedFileError as error:
        return Report(name, 0, (), (), (error,))
    finally:
        made.unlink(missing_ok=True)
    return inputs.check(path, name, settings.csv_encoding)


def convert(  # noqa: PLR0913
    settings: Settings,
    name: str,
    workbook: Path,
    to: Path,
    called: str,
    *,
    go_on: Callable[[], object] = lambda: None,
) -> str:
    """Write the sheet of a workbook that has the columns of an input file as CSV.

    Args:
        settings: how days are written.
        name: the input file.
        workbook: to read.
        to: to write to.
        called: what to call the workbook in messages.
        go_on: called again and again meanwhile; what it raises breaks off.

    Returns:
        where it was found, in words.

    Raises:
        SeedFileError: there is no such sheet, or more than one, or it cannot be read.
    """
    # Whatever the format, that year comes first; but 2021-05-03 could be read as of March.
    days = "%Y-%d-%m" if settings.date_format.startswith("YYYY-D") else "%Y-%m-%d"
    reader = [sys.executable, "-I", workbook_reader.__file__, str(workbook), days, *columns()[name]]
    with (
        _ONE_AT_A_TIME,
        to.open("wb") as file,
        subprocess.Popen(reader, stdout=file, stderr=subprocess.PIPE) as child,
    ):
        try:
            said = _said_by(child, go_on)
        finally:
            child.kill()
    if child.returncode == 0:
        return said
    if child.returncode == workbook_reader.EXPLAINED:
        raise SeedFileError(called, said)
    is_stopped = child.returncode in (-signal.SIGXCPU, -signal.SIGKILL)
    raise SeedFileError(called, workbook_reader.TOO_LARGE if is_stopped else _UNREADABLE)


def _said_by(child: "subprocess.Popen[bytes]", go_on: Callable[[], object]) -> str:
    while True:
        with suppress(subprocess.TimeoutExpired):
            return child.communicate(timeout=_CHECK_SECONDS)[1].decode(errors="replace").strip()
        go_on()


def newer_workbook(folder: Path, name: str) -> Path | None:
    """The workbook beside an input file that was put there, or changed, after it; None if none was.

    By the time of the change of its inode, for a copy may keep the time of its contents.
    """
    workbook = folder / name.replace(".csv", ".xlsx")
    try:
        changed = workbook.stat().st_ctime_ns
    except OSError:
        return None
    with suppress(OSError):
        return workbook if changed > (folder / name).stat().st_ctime_ns else None
    return workbook


def files_signature(folder: Path) -> dict[str, list[int] | None]:
    """Modification time in nanoseconds and size in bytes of each file; None for a missing one.

    Those of a workbook that is to take its place.
    """
    found: dict[str, list[int] | None] = dict.fromkeys(columns())
    for name in found:
        with suppress(OSError):
            status = (newer_workbook(folder, name) or folder / name).stat()
            found[name] = [status.st_mtime_ns, status.st_size]
    return found


def take_in(settings: Settings, go_on: Callable[[], object] = lambda: None) -> list[str]:
    """Put what is in newer workbooks in the place of input files; which were, in words.

    Args:
        settings: where the files are, and how they are read.
        go_on: see `convert`.

    Raises:
        WorkbookError: one cannot be read, or the folder cannot be written to.
    """
    try:
        return list(_taken_in(settings, go_on))
    except SeedFileError as error:
        raise WorkbookError(f"{error}. {STAYS}") from error
    except OSError as error:
        raise WorkbookError(
            f"The workbooks in {settings.seeds_dir} are not read: {os.strerror(error.errno or 0)}. "
            "Let the account that Elute runs as write there, or save them as CSV UTF-8."
        ) from error


def _taken_in(settings: Settings, go_on: Callable[[], object]) -> Iterator[str]:
    for name in columns():
        workbook = newer_workbook(settings.seeds_dir, name)
        if workbook is None:
            continue
        with inputs.scratch_file(settings, name, beside=True) as made:
            before = Version.of(workbook.stat())
            where = convert(settings, name, workbook, made, workbook.name, go_on=go_on)
            with inputs.turn(settings):
                if newer_workbook(settings.seeds_dir, name) is None:
                    continue  # Another build has done so, or a newer file has come.
                if Version.of(workbook.stat()) != before:
                    reason = "it was changed while it was read; build again"
                    raise SeedFileError(workbook.name, reason)
                inputs.swap(settings, name, made)
            yield f"{name} was made from {workbook.name}: {where}."
