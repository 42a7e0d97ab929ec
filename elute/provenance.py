"""What a build is made from: the files, the project, the versions, the options."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import immutable_builds
import seed_csv
from dbt.include.pgcopy import PACKAGE_PATH

from elute.checksums import sha256_of
from elute.database import history
from elute.database.history import Published
from elute.database.sessions import Session
from elute.errors import EluteError
from elute.inputs import columns, path_of
from elute.settings import CHECKOUT, Settings
from elute.workbooks import newer_workbook

_DECLARING = frozenset({".yml", ".yaml", ".md"})
_WRITTEN = frozenset({"target", "logs", "__pycache__"})
# What decides what comes of the files: the project, and what loads and publishes.
_PROJECT = (CHECKOUT / "dbt_project", CHECKOUT / "seeds", CHECKOUT / "profiles.yml")
_LOADER = (
    *(Path(str(package.__file__)).parent for package in (immutable_builds, seed_csv)),
    Path(PACKAGE_PATH),
    Path(PACKAGE_PATH).parents[1] / "adapters" / "pgcopy",
)


def versions() -> dict[str, str | None]:
    """What is to be noted with a build, beside what dbt-pgcopy notes itself."""
    return {"elute": version("elute"), "project": project_sha256(), "commit": _commit()}


def project_sha256() -> str:
    """Of all files that decide what comes of the input files, by their names and contents."""
    digest = hashlib.sha256()
    for name, path in _project_files():
        digest.update(os.fsencode(f"{name}\0{sha256_of(path)}\0"))
    return digest.hexdigest()


def options_of(settings: Settings, options: Mapping[str, Any]) -> dict[str, str]:
    """What a run with these options notes with its build; see the macro `publish`."""
    return {
        "max_dropped_ratio": str(options.get("max_dropped_ratio", settings.max_dropped_ratio)),
        "max_nulled_ratio": str(settings.max_nulled_ratio),
        "date_format": settings.date_format,
        "run_time_unit": settings.run_time_unit,
        "csv_encoding": settings.csv_encoding,
    }


def current(
    session: Session, settings: Settings, options: Mapping[str, Any] | None = None
) -> Published | None:
    """The published build, if a run would make the same again; see `history.published`.

    Args:
        session: in autocommit mode.
        settings: of the run.
        options: that it was asked for with.
    """
    published = history.published(session)
    if published is None or published.options != options_of(settings, options or {}):
        return None
    if changed_versions(published, session) or any(
        newer_workbook(settings.seeds_dir, name) for name in columns()
    ):
        return None
    is_same = all(
        published.files.get(name) == (sha256_of(path_of(settings, name)) or "missing")
        for name in columns()
    )
    return published if is_same else None


class RebuildError(EluteError):
    """A build cannot be made again."""


def kept_files(settings: Settings, published: Published) -> dict[str, Path]:
    """Where the files of a build are kept, by their names.

    Raises:
        RebuildError: it was built with options that are not repeated, or not all files are kept.
    """
    others = published.options.keys() - options_of(settings, {}).keys()
    if others or not published.options:
        raise RebuildError(
            f"Build {published.build} cannot be made again: it was not 'dbt build' of everything "
            f"({', '.join(sorted(others)) or 'no options are known'}). While its tables are kept, "
            "return to it instead."
        )
    kept = {name: settings.kept_files / digest for name, digest in published.files.items()}
    gone = sorted(name for name, path in kept.items() if not path.exists())
    if gone:
        raise RebuildError(
            f"Build {published.build} cannot be made again: {', '.join(gone)} as it was then is "
            "no longer kept here. Build from a copy of your own; with a larger "
            "ELUTE_KEEP_FILES_MB more is kept from now on."
        )
    return kept


def as_it_was(session: Session, settings: Settings, build: int) -> dict[str, str]:
    """The variables with which dbt builds from the files and options of a build.

    Raises:
        RebuildError: it cannot.
    """
    published = history.find(session, build)
    if published is None:
        raise RebuildError(f"There is no build {build}; /builds lists those there are.")
    folder = settings.home / "worker" / "rebuilt-from"
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, path in kept_files(settings, published).items():
            if sha256_of(path) != path.name:
                path.unlink()
                raise RebuildError(
                    f"Build {build} cannot be made again: the kept {name} was damaged and is "
                    "removed. Build from a copy of your own."
                )
            (folder / name).symlink_to(path)
    except OSError as error:
        raise RebuildError(
            f"Build {build} cannot be made again: with {error.filename}, {error.strerror}. Let the "
            "account that Elute runs as read and write in ELUTE_HOME, and see that its disk has "
            "room."
        ) from error
    variables = {f"ELUTE_{name.upper()}": text for name, text in published.options.items()}
    return {**variables, "ELUTE_SEEDS_DIR": str(folder)}


def changed_versions(published: Published, session: Session) -> list[str]:
    """What is no longer what has made a build: of "elute", "dbt", "postgres" and "project"."""
    now = {
        "elute": version("elute"),
        "dbt": version("dbt-core"),
        "postgres": session.info.parameter_status("server_version"),
        "project": project_sha256(),
    }
    return [name for name in now if published.versions.get(name) != now[name]]


def _project_files() -> Iterator[tuple[str, Path]]:
    for top in (*_PROJECT, *_LOADER):
        if top.is_file():
            yield top.name, top
        for folder, folders, names in os.walk(top):
            folders[:] = sorted(set(folders) - _WRITTEN)
            for name in sorted(names):
                path = Path(folder, name)
                # The input files may be there, workbooks, and what was replaced.
                if top.name != "seeds" or path.suffix in _DECLARING:
                    yield f"{top.name}/{path.relative_to(top)}", path


def _commit() -> str | None:
    """The commit of the checkout; None if it has none, or there is no git."""
    git = ["git", f"--git-dir={CHECKOUT / '.git'}", "rev-parse", "--verify", "HEAD"]
    with suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(git, check=True, capture_output=True, text=True).stdout.strip()
    return None
