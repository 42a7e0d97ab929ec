"""The adapter: dbt-spark for the work, one of dbt-pgcopy for the run lock and for publishing."""

import copy
import errno
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.context import SpawnContext
from threading import Lock
from typing import Any, NamedTuple
from uuid import UUID

from dbt.adapters.base.meta import available
from dbt.adapters.contracts.connection import Connection
from dbt.adapters.events.logging import AdapterLogger
from dbt.adapters.factory import load_plugin
from dbt.adapters.pgcopy import WRITING_COMMANDS, PgcopyAdapter, Seed
from dbt.adapters.postgres.impl import PostgresAdapter
from dbt.adapters.spark.impl import SparkAdapter
from dbt.adapters.sparkcopy import staging
from dbt.adapters.sparkcopy.connections import SparkcopyConnectionManager, said
from dbt.adapters.sparkcopy.folder import Folder
from dbt.adapters.sparkcopy.relation import FOR_POSTGRES, SparkcopyRelation, build_name
from dbt_common.exceptions import DbtRuntimeError
from immutable_builds import STAYS, transaction
from psycopg2 import sql
from psycopg2.extensions import cursor
from pyspark.errors import PySparkException

_BUILD = re.compile("dbt_([0-9a-f]{32})")

logger = AdapterLogger("Sparkcopy")


class Staged(NamedTuple):
    """A seed as Parquet."""

    folder: str
    records: int


class SparkcopyAdapter(SparkAdapter):
    """dbt-spark plus the methods that our materializations and hooks call."""

    Relation = SparkcopyRelation
    ConnectionManager = SparkcopyConnectionManager
    connections: SparkcopyConnectionManager
    # It is in PostgreSQL that a contract holds.
    CONSTRAINT_SUPPORT = PgcopyAdapter.CONSTRAINT_SUPPORT

    seed_for_copy = PgcopyAdapter.seed_for_copy
    is_retry = PgcopyAdapter.is_retry
    is_sample = PgcopyAdapter.is_sample

    def __init__(self, config: Any, mp_context: SpawnContext) -> None:
        super().__init__(config, mp_context)
        published_to = copy.copy(config)
        published_to.credentials = config.credentials.postgres
        self._postgres = PgcopyAdapter(published_to, mp_context)
        self._postgres.loads_seeds = False
        self._folder: Folder | None = None
        self._preparing = Lock()

    def acquire_connection(self, name: str | None = None) -> Connection:
        """Overridden to take the run lock first."""
        command = getattr(getattr(self.config, "args", None), "which", None)
        if command in WRITING_COMMANDS - {"build"}:
            raise DbtRuntimeError(
                "On Spark, what a build makes is gone when it ends, so that there is nothing to go "
                f"on from: use dbt build where you would use dbt {command}."
            )
        self._postgres.take_run_lock()
        return super().acquire_connection(name)

    def cancel_open_connections(self) -> list[str]:
        """Overridden to cancel what goes on in PostgreSQL, too."""
        with self._postgres.connection_named("cancel"):
            self._postgres.connections.cancel_open()
        return self.connections.cancel_open()

    def cleanup_connections(self) -> None:
        """Overridden to clear away what the build has made, and to let the run lock go."""
        if self._folder is not None:
            self._clear(self._folder)
            self._folder = None
        super().cleanup_connections()
        self._postgres.cleanup_connections()

    def list_relations_without_caching(self, schema_relation: Any) -> list[Any]:  # noqa: ARG002
        """Overridden because a build begins with nothing."""
        return []

    @available
    def build_folder(self) -> str:
        """The address of the folder of this build; see `_build`."""
        return self._build().address

    @available
    def stage_seed(self, relation: SparkcopyRelation, seed: Seed) -> Staged:
        """Write the file of a seed as Parquet."""
        build = self._build()
        folder = build / str(relation.table_name)
        unable = f"{seed.path.name} cannot be staged in {build.address}"
        with self._postgres.reading(seed) as file, _failing_as(unable):
            records = staging.stage(file, seed, folder)
        return Staged(folder.address, records)

    @available
    def copy_out(
        self,
        builds_schema: str,
        relation: SparkcopyRelation,
        model: Mapping[str, Any],
        constraints: Sequence[str],
    ) -> None:
        """Copy a table to PostgreSQL, as a new table of the build with the columns of its contract.

        Args:
            builds_schema: of the tables of builds.
            relation: the table on Spark; without a contract, its columns hold.
            model: its node.
            constraints: what its contract says besides columns, as changes of the table.
        """
        folder = self._build() / str(relation.table_name)
        unable = f"{model['name']} cannot be read from {folder.address}"
        with _failing_as(unable):
            columns = _columns(model, staging.columns_of(folder))
        with self._new("table", builds_schema, model) as (cursor, table):
            cursor.execute(_create(table, columns, model["config"]))
            query = sql.SQL("copy {} from stdin (format csv)").format(table).as_string(cursor)
            self._postgres.copy_from(_lines(folder, list(columns), unable), query)
            for change in constraints:
                cursor.execute(sql.SQL("alter table {} ").format(table) + sql.SQL(change))
            for index in _indexes(table, model["config"]):
                cursor.execute(index)
            cursor.execute(sql.SQL("analyze {}").format(table))

    @available
    def create_view(self, builds_schema: str, model: Mapping[str, Any], query: str) -> None:
        """Make a view of the build in PostgreSQL.

        Args:
            builds_schema: of the tables of builds.
            model: its node.
            query: in PostgreSQL's SQL.
        """
        with self._new("view", builds_schema, model) as (cursor, view):
            cursor.execute(sql.SQL("create view {} as ").format(view) + sql.SQL(query))

    @available
    def for_postgres(self, render: Callable[[str], str], text: str) -> str:
        """Jinja rendered with PostgreSQL's halves of macros and the names of tables there.

        Args:
            render: dbt's, in the context of a model.
            text: what to render.
        """
        load_plugin(PostgresAdapter.type())  # `adapter.dispatch` knows no other; see `type`.
        token = FOR_POSTGRES.set(True)
        try:
            return render(text)
        finally:
            FOR_POSTGRES.reset(token)

    @classmethod
    def type(cls) -> str:
        """Overridden because `adapter.dispatch` asks it which halves of macros to use."""
        return PostgresAdapter.type() if FOR_POSTGRES.get() else super().type()

    @available
    def publish_build(
        self,
        schema: str,
        marts: Mapping[str, Mapping[str, Any]],
        noted: Mapping[str, Any],
        wait_seconds: float,
    ) -> str:
        """Publish this build as dbt-pgcopy does; why it could not be, or an empty text."""
        versions = {**noted["versions"], "spark": self.connections.session.version}
        with self._postgres.connection_named("publish"):
            return self._postgres.publish_build(
                schema, marts, {**noted, "versions": versions}, wait_seconds
            )

    @available
    def drop_unneeded_tables(self, schema: str, keep: int) -> None:
        """As in dbt-pgcopy."""
        with self._postgres.connection_named("drop unneeded tables"):
            self._postgres.drop_unneeded_tables(schema, keep)

    @available
    def forget_files(self, schema: str, most_megabytes: int) -> None:
        """As in dbt-pgcopy."""
        with self._postgres.connection_named("forget files"):
            self._postgres.forget_files(schema, most_megabytes)

    @contextmanager
    def _new(
        self, kind: str, builds_schema: str, model: Mapping[str, Any]
    ) -> Iterator[tuple[cursor, sql.Identifier]]:
        """For a new table or view of the build: a transaction, and its name; then its comments."""
        postgres = self._postgres
        with postgres.connection_named(model["unique_id"]):
            self._prepare(builds_schema, model["schema"])
            name = postgres.name_table(model["alias"])
            identifier = sql.Identifier(builds_schema, name)
            with transaction(postgres.connections.get_thread_connection().handle) as cursor:
                yield cursor, identifier
                for comment in _comments(kind, identifier, model):
                    cursor.execute(comment)
        database = postgres.config.credentials.database
        make = postgres.Relation.create
        postgres.note_built(
            make(database=database, schema=model["schema"], identifier=model["alias"]),
            make(database=database, schema=builds_schema, identifier=name),
        )

    def _prepare(self, builds_schema: str, view_schema: str) -> None:
        self._postgres.prepare_builds(builds_schema)
        session = self._postgres.connections.get_thread_connection().handle
        # Where it is there, not everybody may make it.
        with self._preparing, transaction(session) as cursor:
            schema = sql.Identifier(view_schema)
            cursor.execute("select to_regnamespace(%s)", [schema.as_string(session)])
            if cursor.fetchone() == (None,):
                cursor.execute(sql.SQL("create schema {}").format(schema))

    def _build(self) -> Folder:
        """The folder of this build. What builds that were broken off have left is cleared first."""
        with self._preparing:
            if self._folder is None:
                address = self.config.credentials.folder
                with _failing_as(f"No folder can be made in {address}"):
                    root = Folder.of(address)
                    leftovers = root.folders() if self._postgres.is_alone else []
                    own = root / build_name()
                    own.make()
                self._folder = own
                for folder in leftovers:
                    if found := _BUILD.fullmatch(folder.name):
                        self.connections.end(str(UUID(found[1])))
                        self._clear(folder)
            return self._folder

    def _clear(self, folder: Folder) -> None:
        """Drop the schema and the folder of a build; that it cannot be done fails nothing."""
        try:
            self.connections.session.sql(f"drop schema if exists {folder.name} cascade")
        except (PySparkException, DbtRuntimeError) as error:
            logger.warning(f"The schema {folder.name} stays for now: {said(error)}")
        try:
            folder.remove()
        except OSError as error:
            logger.warning(f"{folder.address} stays for now: {error}")


@contextmanager
def _failing_as(unable: str) -> Iterator[None]:
    """Turn an error of a file system, or of an object store, into a sentence."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            why = "its disk is full"
        else:
            why = os.strerror(error.errno) if error.errno else str(error).rstrip(".")
        raise DbtRuntimeError(f"{unable}: {why}. {STAYS}") from error


def _lines(folder: Folder, columns: list[str], unable: str) -> Iterator[bytes]:
    with _failing_as(unable):
        yield from staging.lines(folder, columns)


def _columns(model: Mapping[str, Any], found: dict[str, str]) -> dict[str, str]:
    """The columns of the table in PostgreSQL, and their types."""
    if not model["config"]["contract"]["enforced"]:
        return found
    wanted = {name: column["data_type"] for name, column in model["columns"].items()}
    if found.keys() != wanted.keys():
        raise DbtRuntimeError(
            f"This model has an enforced contract that failed: its columns are {', '.join(found)}, "
            f"and the contract's are {', '.join(wanted)}."
        )
    return wanted


def _create(
    table: sql.Identifier, columns: Mapping[str, str], config: Mapping[str, Any]
) -> sql.Composable:
    kind = sql.SQL("unlogged table" if config.get("unlogged") else "table")
    declared = [
        sql.SQL("{} " + data_type).format(sql.Identifier(name))
        for name, data_type in columns.items()
    ]
    return sql.SQL("create {} {} ({})").format(kind, table, sql.SQL(", ").join(declared))


def _indexes(table: sql.Identifier, config: Mapping[str, Any]) -> list[sql.Composable]:
    return [
        sql.SQL("create {}index on {} using {} ({})").format(
            sql.SQL("unique " if index.get("unique") else ""),
            table,
            sql.SQL(index.get("type") or "btree"),
            sql.SQL(", ").join(map(sql.Identifier, index["columns"])),
        )
        for index in config.get("indexes") or []
    ]


def _comments(kind: str, table: sql.Identifier, model: Mapping[str, Any]) -> list[sql.Composable]:
    """What persist_docs asks for."""
    persisted = model["config"].get("persist_docs") or {}
    comments = []
    if persisted.get("relation") and model["description"]:
        comments.append((kind, table, model["description"]))
    if persisted.get("columns"):
        for name, column in model["columns"].items():
            if column["description"]:
                place = sql.Identifier(*table.strings, name)
                comments.append(("column", place, column["description"]))
    return [
        sql.SQL("comment on " + what + " {} is {}").format(place, sql.Literal(text))
        for what, place, text in comments
    ]
