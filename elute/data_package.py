"""A build as a data package (specs.frictionlessdata.io), in a zip file that is sent as it comes."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from pgrest_query import kind

from elute.archive import Archive, Blocks
from elute.database.builds import Build, Column, Mart

_TYPES = {"boolean": "boolean", "date": "date", "text": "string"}


class Table(NamedTuple):
    """A mart as it lies in the package."""

    mart: Mart
    path: str
    size: int  # bytes
    sha256: str


def package(build: Build, rows: Callable[[Mart], Blocks]) -> Iterator[bytes]:
    """The zip file: the marts, what is in them, the SQL that made them, and checksums.

    Args:
        build: whose files' time is that of the build, so that the package is the same each time.
        rows: those of a mart, as CSV.
    """
    archive, tables = Archive(build.published_at), []
    for _, mart in sorted(build.marts.items()):
        path = f"data/{_plain(mart.name)}.csv"
        yield from archive.add(path, rows(mart))
        tables.append(Table(mart, path, *archive.added[path]))
    described = json.dumps(_described(build, tables), indent=2, ensure_ascii=False, default=str)
    yield from archive.add_text("datapackage.json", f"{described}\n")
    for name, text in sorted(build.sql.items()):
        yield from archive.add_text(f"sql/{name}.sql", text)
    # As sha256sum writes and checks them.
    sums = "".join(f"{digest}  {path}\n" for path, (_, digest) in archive.added.items())
    yield from archive.add_text("SHA256SUMS", sums)
    yield archive.end()


def _described(build: Build, tables: Iterable[Table]) -> dict[str, Any]:
    """The content of datapackage.json."""
    return {
        "profile": "tabular-data-package",
        "name": f"elute-build-{build.number}",
        "title": f"Build {build.number}",
        "created": build.published_at.isoformat(),
        "sources": [
            {"title": name, "hash": f"sha256:{sha256}"}
            for name, sha256 in build.noted["files"].items()
        ],
        "build": {name: value for name, value in build.noted.items() if name != "files"},
        "resources": [_resource(table) for table in tables],
    }


def _resource(table: Table) -> dict[str, Any]:
    key = list(table.mart.table.key)
    return {
        "profile": "tabular-data-resource",
        "name": _plain(table.mart.name),
        "path": table.path,
        "description": table.mart.description,
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "bytes": table.size,
        "hash": f"sha256:{table.sha256}",
        "schema": {
            "fields": [_field(column) for column in table.mart.columns],
            "missingValues": [""],
            **({"primaryKey": key} if key else {}),
        },
    }


def _field(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        **_type(column),
        "description": column.description,
        **({"unit": column.unit} if column.unit else {}),
    }


def _type(column: Column) -> dict[str, str]:
    if column.data_type.startswith("timestamp") and kind(column.data_type) == "time":
        return {"type": "datetime", "format": "any"}
    if column.is_number:
        return {"type": "integer" if column.is_whole else "number"}
    return {"type": _TYPES.get(column.data_type, "any")}


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower())
