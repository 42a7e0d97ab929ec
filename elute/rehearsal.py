"""What would stop a build before it publishes, if it read a file in the place of an input file.

dbt need not be loaded to know: with its last build, or for the docs, it has left the SQL of every
node. Here that runs on temporary tables, which are gone afterwards. SQL of other settings says
nothing: `compile_anew` makes that of the ones that hold.
"""

import io
import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
from dbt_warm import invoke
from immutable_builds import table_name
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from seed_csv import SEPARATOR, SeedFile, SeedFileError

from elute.database.sessions import Session
from elute.environment import adopt
from elute.inputs import columns, path_of
from elute.provenance import options_of
from elute.settings import Settings

MOST_BYTES = 50_000_000  # of all files: more would take long
_SECONDS = 20
_AUDITS = ("test.elute.assert_files_are_usable", "test.elute.assert_values_are_usable")
_COMPILED_WITH = re.compile(r"^-- compiled with (.*)$", re.MULTILINE)
# A table of a build is called by its model and the invocation.
_RELATION = re.compile(r'"[^"]+"\."[^"]+"\."([^"]+?)(?:__[0-9a-f]{32})?"')
_INVOCATION = "0" * 32
_LOG = logging.getLogger("elute")
Nodes = Mapping[str, Mapping[str, Any]]


def findings(
    session: Session, settings: Settings, name: str = "", path: Path = Path()
) -> list[str]:
    """What the audits of a build would say, in words; nothing if that cannot be known.

    Args:
        session: in autocommit mode, of a user who may make temporary tables.
        settings: where the input files are.
        name: of the input file that another stands in for.
        path: that other.
    """
    files = {file: path if file == name else path_of(settings, file) for file in columns()}
    nodes = _compiled(settings)
    try:
        if nodes is None or sum(file.stat().st_size for file in files.values()) > MOST_BYTES:
            return []
        with rolled_back(session) as cursor:
            return list(_findings(cursor, nodes, files, settings.csv_encoding))
    except (KeyError, OSError, SeedFileError, psycopg2.Error) as error:
        # KeyError: what dbt has left is of a project with other input files.
        _LOG.info("No rehearsal of a build: %s", " ".join(str(error).split()))
        return []


def compile_anew(settings: Settings) -> None:
    """Have dbt compile the audits with these settings, if it has done so with others only.

    Takes seconds, and can be done once in a process.

    Raises:
        ServerError: there is no server to ask.
    """
    if any(map(_nodes, _manifests(settings))) and not _compiled(settings):
        adopt(settings)
        select = [f"+{audit.rpartition('.')[2]}" for audit in _AUDITS]
        into = str(settings.home / "check" / "target")
        # Quiet, dbt would still print what it compiles.
        options = ["--target", "postgres", "--log-level", "none", "--target-path", into]
        invoke(["compile", *options, "--select", *select])


def _manifests(settings: Settings) -> list[Path]:
    """All that dbt has left, the newest first."""
    folders = (settings.home, settings.home / "worker", settings.home / "check")
    paths = [folder / "target" / "manifest.json" for folder in folders]
    found = [path for path in paths if os.access(path, os.R_OK)]
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def _compiled(settings: Settings) -> Nodes | None:
    """The nodes of the newest manifest that has the SQL of the audits with these settings."""
    wanted = options_of(settings, {})
    found = filter(None, map(_nodes, _manifests(settings)))
    return next((nodes for nodes in found if _options(nodes) == wanted), None)


def _options(nodes: Nodes) -> Any:
    said = _COMPILED_WITH.search(nodes[_AUDITS[0]]["compiled_code"])
    return json.loads(said[1]) if said else None


def _nodes(path: Path) -> Nodes | None:
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        nodes: Nodes = manifest["nodes"]
        if manifest["metadata"]["adapter_type"] != "pgcopy":
            return None  # SQL of Spark's
        return nodes if all(nodes[audit].get("compiled_code") for audit in _AUDITS) else None
    except (OSError, ValueError, KeyError):
        return None  # It is being written, or is of a build of something else.


def _findings(
    cursor: Cursor, nodes: Nodes, files: Mapping[str, Path], encoding: str
) -> Iterator[str]:
    needed: dict[str, None] = {}
    for audit in _AUDITS:
        _add_with_parents(audit, nodes, needed)
    aliases = {nodes[key]["alias"] for key in needed}
    # A table of a build may have only the beginning of a long one.
    cut = {table_name(each, _INVOCATION).removesuffix(f"__{_INVOCATION}"): each for each in aliases}

    def of_here(match: re.Match[str]) -> str:
        alias = match[1] if match[1] in aliases else cut.get(match[1])
        return f'pg_temp."{alias}"' if alias else match[0]

    for key in needed:
        node = nodes[key]
        if node["resource_type"] == "seed":
            path, types = files[f"{node['alias']}.csv"], node["config"]["column_types"]
            load(cursor, node["alias"], types, path, encoding)
            continue
        code = sql.SQL(_RELATION.sub(of_here, node["compiled_code"]))
        if node["resource_type"] == "test":
            cursor.execute(sql.SQL("select message from ({}) as audit").format(code))
            yield from (message for (message,) in cursor.fetchall())
        elif node["config"]["materialized"] != "ephemeral":
            _make(cursor, node, code)


def _add_with_parents(key: str, nodes: Nodes, found: dict[str, None]) -> None:
    for parent in nodes[key]["depends_on"].get("nodes", []):
        _add_with_parents(parent, nodes, found)
    found.setdefault(key)


def _make(cursor: Cursor, node: Mapping[str, Any], code: sql.Composable) -> None:
    config, name = node["config"], sql.Identifier("pg_temp", node["alias"])
    is_view = config["materialized"] == "view" or config.get("as_view")
    kind = sql.SQL("view" if is_view else "table")
    cursor.execute(sql.SQL("create temporary {} {} as {}").format(kind, name, code))
    if not is_view:
        cursor.execute(sql.SQL("analyze {}").format(name))


def load(cursor: Cursor, name: str, columns: Mapping[str, str], path: Path, encoding: str) -> None:
    """Load a file into a temporary table, as its seed would be.

    Args:
        cursor: in a transaction.
        name: of the table.
        columns: of the table, and their types.
        path: the file.
        encoding: of the file.
    """
    table = sql.Identifier("pg_temp", name)
    declared = [
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(type_))
        for name, type_ in columns.items()
    ]
    cursor.execute(
        sql.SQL("create temporary table {} ({})").format(table, sql.SQL(", ").join(declared))
    )
    wanted = [name for name, type_ in columns.items() if " generated " not in type_]
    with SeedFile(path, wanted, encoding=encoding) as file:
        if file.delimiter != "," and SEPARATOR in columns:
            default = sql.SQL("alter table {} alter column {} set default {}")
            separator = sql.Literal(file.delimiter)
            cursor.execute(default.format(table, sql.Identifier(SEPARATOR), separator))
        for part in file.copy_parts():
            copy = sql.SQL("copy {} ({}) from stdin (format csv, delimiter {}, encoding 'UTF8')")
            names = sql.SQL(", ").join(map(sql.Identifier, part.columns))
            statement = copy.format(table, names, sql.Literal(file.delimiter))
            for chunk in part.chunks:
                cursor.copy_expert(statement, io.BytesIO(chunk))


@contextmanager
def rolled_back(session: Session) -> Iterator[Cursor]:
    """A cursor for temporary tables, which are gone afterwards."""
    with session.cursor() as cursor:
        cursor.execute(f"begin; set local statement_timeout = '{_SECONDS}s'")
        try:
            yield cursor
        finally:
            if not session.closed:
                cursor.execute("rollback")
