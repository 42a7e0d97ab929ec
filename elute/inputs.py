"""The input files on disk: what is in them, and how one is replaced in whole."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path

import yaml
from seed_csv import OWN_COLUMNS, Report, SeedFileError
from seed_csv import check as check_file

from elute.settings import CHECKOUT, Settings

KEPT = 10  # replaced files kept, of each
_REPLACED = ".replaced"
# dbt takes whatever ends in .csv for a seed, also in folders below and with a dot in front.
_UNFINISHED = ".unfinished"
_STALE_SECONDS = 24 * 60 * 60


def columns() -> dict[str, tuple[str, ...]]:
    """The columns in each input file of the project as it is now, by the file's name.

    Those that the reader fills in are not among them.
    """
    return {
        file: tuple(name for name in declared if name not in OWN_COLUMNS)
        for file, declared in _declared().items()
    }


def _declared() -> dict[str, tuple[str, ...]]:
    found = {}
    for path in sorted((CHECKOUT / "seeds").glob("*.yml")):
        # One that is being written, and no YAML yet, is dbt's to report.
        with suppress(OSError, ValueError, yaml.YAMLError, KeyError, TypeError, AttributeError):
            found.update(_declared_in(path, path.stat().st_mtime_ns))
    return found


@lru_cache(maxsize=256)
def _declared_in(path: Path, _mtime_ns: int) -> dict[str, tuple[str, ...]]:
    """The columns that are declared for each file in a YAML file of seeds."""
    found = {}
    for seed in yaml.safe_load(path.read_text(encoding="utf-8"))["seeds"]:
        types = (seed.get("config") or {}).get("column_types") or {}
        # What the database generates, the reader does not.
        declared = tuple(name for name, type_ in types.items() if " generated " not in type_)
        found[f"{seed['name']}.csv"] = declared
    return found


@dataclass(frozen=True)
class Version:
    """Which state a file is in: it changes whenever the file does.

    `bytes` is its size; `modified_at` has the time zone UTC.
    """

    inode: int
    nanoseconds: int
    bytes: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Version":
        """The version that a file's status shows."""
        return cls(status.st_ino, status.st_mtime_ns, status.st_size)

    @property
    def etag(self) -> str:
        """A name for it, without the quotes that HTTP puts around it."""
        return f"{self.nanoseconds:x}-{self.bytes:x}"

    @property
    def modified_at(self) -> datetime:
        """When the file was last written."""
        return datetime.fromtimestamp(self.nanoseconds // 10**9, timezone.utc)


def path_of(settings: Settings, name: str) -> Path:
    """Where an input file is; behind a link, where the link leads."""
    return (settings.seeds_dir / name).resolve()


def version_of(settings: Settings, name: str) -> Version | None:
    """The version that is there; None if there is no such file, or none within our reach."""
    try:
        return Version.of(path_of(settings, name).stat())
    except OSError:
        return None


def report_on(path: Path, name: str, encoding: str, version: Version) -> Report:
    """What `elute check` finds in a file; each version is read once."""
    return _known(path, name, encoding, _declared()[name], version)


@lru_cache(maxsize=256)
def _known(
    path: Path, name: str, encoding: str, declared: tuple[str, ...], _version: Version
) -> Report:
    return _check(path, name, encoding, declared)


def check(path: Path, name: str, encoding: str) -> Report:
    """Read a file as the one called `name`; one without any record has a problem."""
    return _check(path, name, encoding, _declared()[name])


def _check(path: Path, name: str, encoding: str, declared: tuple[str, ...]) -> Report:
    report = check_file(path, declared, name=name, encoding=encoding)
    if report.records or report.problems:
        return report
    problem = SeedFileError(name, "there is no record below the header")
    return Report(report.file, 0, report.columns, report.extra_columns, (problem,))


def can_be_replaced(settings: Settings, name: str) -> bool:
    """Whether the folder lets us swap the file."""
    return os.access(path_of(settings, name).parent, os.W_OK | os.X_OK)


@contextmanager
def scratch_file(settings: Settings, name: str, beside: bool) -> Iterator[Path]:
    """An empty file to receive an upload, gone afterwards unless it was swapped in.

    Args:
        settings: where the files are.
        name: the file it is to become.
        beside: in the folder of that file, so that it can be swapped in; else with what Elute
            writes.

    Raises:
        OSError: nothing can be written there.
    """
    folder = path_of(settings, name).parent if beside else settings.home / "uploads"
    if not beside:
        folder.mkdir(parents=True, exist_ok=True)
    _remove_stale(folder)
    number, path = tempfile.mkstemp(prefix=f".{name}.", suffix=_UNFINISHED, dir=folder)
    os.close(number)
    try:
        yield Path(path)
    finally:
        with suppress(FileNotFoundError):
            Path(path).unlink()


def _remove_stale(folder: Path) -> None:
    """Remove what uploads have left that were killed."""
    oldest = datetime.now(timezone.utc).timestamp() - _STALE_SECONDS
    for path in folder.glob(f".*{_UNFINISHED}"):
        with suppress(OSError):  # It has gone, or is another account's in a folder that both use.
            if path.stat().st_mtime < oldest:
                path.unlink()


@contextmanager
def turn(settings: Settings) -> Iterator[None]:
    """Hold off every other replacement, of this process and of others on this machine."""
    settings.home.mkdir(parents=True, exist_ok=True)
    with (settings.home / "inputs.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def swap(settings: Settings, name: str, new: Path) -> str | None:
    """Put `new`, a scratch file beside it, in the place of an input file. Needs one's `turn`.

    Whoever opens the file meets the old one or the new one, whole, also after a power cut.

    Returns:
        what the replaced file is called now, in the folder `.replaced`; None if there was none.
    """
    path = path_of(settings, name)
    _take_over_rights(path, new)
    with new.open("rb") as file:
        os.fsync(file.fileno())
    kept = _keep(path, name) if path.exists() else None
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return kept


def replaced(settings: Settings, name: str) -> list[Path]:
    """The kept files that were once called `name`, the latest first."""
    folder = path_of(settings, name).parent / _REPLACED
    try:
        return sorted(folder.glob(f"{name}.*"), reverse=True)
    except PermissionError:
        return []


def _keep(path: Path, name: str) -> str:
    folder = path.parent / _REPLACED
    if not folder.exists():
        folder.mkdir(exist_ok=True)
        folder.chmod(path.parent.stat().st_mode & 0o777)  # open to whom the files are
    moment = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S.%fZ")
    kept = folder / f"{name}.{moment}"
    try:
        os.link(path, kept)
    except OSError:  # Not every file system has links.
        shutil.copy2(path, kept)
    for old in sorted(folder.glob(f"{name}.*"), reverse=True)[KEPT:]:
        if old != kept:  # Which is the oldest by its name if the clock was set back.
            old.unlink()
    return kept.name


def _take_over_rights(path: Path, new: Path) -> None:
    """Let the same people read and write the new file as the old one."""
    try:
        status = path.stat()
    except FileNotFoundError:
        new.chmod(0o644)
        return
    new.chmod(status.st_mode & 0o777)
    for owner in (status.st_uid, -1):  # Only root may give a file away; its group, also others.
        with suppress(PermissionError):
            os.chown(new, owner, status.st_gid)
            return
