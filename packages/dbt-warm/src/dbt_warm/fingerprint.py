"""Telling by looking, without reading, whether a project has changed."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

_READ_BY_DBT = frozenset({".sql", ".yml", ".yaml", ".md", ".py", ".csv"})
_WRITTEN_BY_DBT = frozenset({"target", "logs", ".git"})


def project_fingerprint(*paths: str | Path) -> str:
    """Another text whenever a file that dbt parses is changed, added or taken away.

    A seed counts by its name: what it holds is read when it is loaded, and not by dbt's parser.

    Args:
        paths: files, and folders, without the `target`, `logs` and `.git` right below them.
    """
    digest = hashlib.sha256()
    for path in _files(paths):
        try:
            status = os.stat(path)  # noqa: PTH116 (a Path for each file takes as long again)
            state = None if path.endswith(".csv") else (status.st_mtime_ns, status.st_size)
        except OSError:
            state = None
        digest.update(os.fsencode(f"{path}\0{state}\0"))
    return digest.hexdigest()


def _files(paths: tuple[str | Path, ...]) -> Iterator[str]:
    for top in map(str, paths):
        if not os.path.isdir(top):  # noqa: PTH112
            yield top
        for folder, folders, names in os.walk(top):
            folders[:] = sorted(set(folders) - _WRITTEN_BY_DBT if folder == top else folders)
            for name in sorted(names):
                if os.path.splitext(name)[1] in _READ_BY_DBT:  # noqa: PTH122
                    yield os.path.join(folder, name)  # noqa: PTH118
