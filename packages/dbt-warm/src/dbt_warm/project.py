"""Telling by looking, without reading, whether a project has changed."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_READ_BY_DBT = frozenset({".sql", ".yml", ".yaml", ".md", ".py", ".csv"})
_WRITTEN_BY_DBT = frozenset({"target", "logs", ".git"})


class Project(NamedTuple):
    """What a project is at a moment, as texts to compare.

    Attributes:
        files: another one whenever a file that dbt parses is changed, added or taken away. A seed
            counts by its name: what it holds is read when it is loaded, and not by dbt's parser.
        folders: another one, too, when a file has come and gone again.
    """

    files: str
    folders: str


def look_at(*paths: str | Path) -> Project:
    """See what a project is now.

    Args:
        paths: files, and folders, without the `target`, `logs` and `.git` right below them.
    """
    files, folders = hashlib.sha256(), hashlib.sha256()
    for path, is_folder in _found(paths):
        try:
            status = os.stat(path)  # noqa: PTH116 (a Path for each file takes as long again)
            state = None if path.endswith(".csv") else (status.st_mtime_ns, status.st_size)
        except OSError:
            state = None
        digest = folders if is_folder else files
        digest.update(os.fsencode(f"{path}\0{state}\0"))
    return Project(files.hexdigest(), folders.hexdigest())


def _found(paths: tuple[str | Path, ...]) -> Iterator[tuple[str, bool]]:
    """Each path, and whether it is a folder: one below those given, in which dbt writes nothing."""
    for top in map(str, paths):
        if not os.path.isdir(top):  # noqa: PTH112
            yield top, False
        for folder, folders, names in os.walk(top):
            folders[:] = sorted(set(folders) - _WRITTEN_BY_DBT if folder == top else folders)
            if folder != top:
                yield folder, True
            for name in sorted(names):
                if os.path.splitext(name)[1] in _READ_BY_DBT:  # noqa: PTH122
                    yield os.path.join(folder, name), False  # noqa: PTH118
