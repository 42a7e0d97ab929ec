"""Telling by looking, without reading, whether files have changed."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

_READ_BY_DBT = (".sql", ".yml", ".yaml", ".md", ".csv")
_NOT_OURS = frozenset({"target", "logs", "dbt_packages", ".git"})


def project_signature(checkout: Path) -> str:
    """Another text whenever a file that dbt parses is changed, added or taken away."""
    digest = hashlib.sha256()
    for path in _project_files(checkout):
        # What a seed's file holds is read by its node and not by the parser.
        seen = None if path.suffix == ".csv" else _seen(path)
        digest.update(os.fsencode(f"{path}\0{seen}\0"))
    return digest.hexdigest()


def _project_files(checkout: Path) -> Iterator[Path]:
    yield checkout / "profiles.yml"
    for part in ("dbt_project", "seeds"):
        for folder, folders, names in os.walk(checkout / part):
            folders[:] = sorted(set(folders) - _NOT_OURS)
            yield from (Path(folder, name) for name in sorted(names) if name.endswith(_READ_BY_DBT))


def files_signature(folder: Path, names: tuple[str, ...]) -> dict[str, list[int] | None]:
    """Modification time in nanoseconds and size in bytes of each file; None for a missing one."""
    return {name: _seen(folder / name) for name in names}


def _seen(path: Path) -> list[int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return [status.st_mtime_ns, status.st_size]
