"""What a build is made from: the files, the project, the versions, the options."""

import hashlib
import os
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
from elute.database.sessions import Session
from elute.inputs import COLUMNS, path_of
from elute.runs import queue
from elute.runs.run import Published
from elute.settings import CHECKOUT, Settings

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
        "csv_encoding": settings.csv_encoding,
    }


def current(
    session: Session, settings: Settings, options: Mapping[str, Any] | None = None
) -> Published | None:
    """The published build, if a run would make the same again, and none waits or goes on.

    Args:
        session: in autocommit mode.
        settings: of the run.
        options: that it was asked for with.
    """
    published = queue.published(session)
    if published is None or published.options != options_of(settings, options or {}):
        return None
    now = {
        "elute": version("elute"),
        "dbt": version("dbt-core"),
        "postgres": session.info.parameter_status("server_version"),
    }
    if {name: published.versions.get(name) for name in now} != now:
        return None
    # The longest last.
    if published.versions.get("project") != project_sha256():
        return None
    is_same = all(
        published.files.get(name) == (sha256_of(path_of(settings, name)) or "missing")
        for name in COLUMNS
    )
    return published if is_same else None


def _project_files() -> Iterator[tuple[str, Path]]:
    for top in (*_PROJECT, *_LOADER):
        if top.is_file():
            yield top.name, top
        for folder, folders, names in os.walk(top):
            folders[:] = sorted(set(folders) - _WRITTEN)
            for name in sorted(names):
                path = Path(folder, name)
                if top.name != "seeds" or path.suffix != ".csv":  # Of the samples, if of any.
                    yield f"{top.name}/{path.relative_to(top)}", path


def _commit() -> str | None:
    """The commit of the checkout; None if it has none, or there is no git."""
    git = ["git", f"--git-dir={CHECKOUT / '.git'}", "rev-parse", "--verify", "HEAD"]
    with suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(git, check=True, capture_output=True, text=True).stdout.strip()
    return None
