"""The adapter: dbt-postgres, and what its macros need for seeds, builds and the run lock."""

import functools
import gc
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from multiprocessing.context import SpawnContext
from typing import Any

import click
import immutable_builds
import psycopg2
from dbt.adapters.base.meta import available
from dbt.adapters.contracts.connection import Connection
from dbt.adapters.events.logging import AdapterLogger
from dbt.adapters.pgcopy.connections import PgcopyConnectionManager
from dbt.adapters.pgcopy.database_errors import with_sqlstate
from dbt.adapters.pgcopy.kept_files import KeptFiles
from dbt.adapters.pgcopy.relation import PgcopyRelation, address
from dbt.adapters.pgcopy.run_lock import WRITING_COMMANDS, RunLock
from dbt.adapters.pgcopy.seeds import Seed, refuse_what_dbt_cannot_hash, seed_for_copy
from dbt.adapters.postgres.impl import PostgresAdapter
from dbt_common.exceptions import DbtRuntimeError
from dbt_common.invocation import get_invocation_id
from immutable_builds import Build, PublishingError
from psycopg2 import sql
from seed_csv import SEPARATOR, SeedFile, SeedFileError

logger = AdapterLogger("Pgcopy")


@functools.cache
def _look_for_little_garbage() -> None:
    """Once in a process, for what is garbage at that moment is kept, too.

    dbt's modules are 140,000 objects that stay, and to look through them again and again is an
    eighth of a build of small files; what comes later is seldom garbage either.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


class PgcopyAdapter(PostgresAdapter):
    """dbt-postgres plus the methods that our materializations and hooks call."""

    Relation = PgcopyRelation
    ConnectionManager = PgcopyConnectionManager
    connections: PgcopyConnectionManager
    loads_seeds = True  # False where another adapter does, and not into PostgreSQL
    _run_lock: RunLock | None = None

    def __init__(self, config: Any, mp_context: SpawnContext) -> None:
        # dbt makes its adapter just before it parses the project.
        refuse_what_dbt_cannot_hash(config)
        super().__init__(config, mp_context)
        _look_for_little_garbage()
        self.Relation.built.clear()  # An adapter serves one invocation.
        self._files: dict[str, str] = {}
        self._kept = KeptFiles()
        self._preparing = threading.Lock()
        self._is_tidy = False
        self._built_on: int | None = None
        self._unpublished_in: str | None = None  # the schema that may have tables of this build

    @PostgresAdapter.behavior.setter  # type: ignore[attr-defined,untyped-decorator]
    def behavior(self, flags: list[Any]) -> None:
        """Overridden to leave dbt's own list of flags as it is.

        dbt adds ours to its list for each adapter made in a process, and looks through the call
        stack for each: the hundredth run in a process would be slower to begin than the first.
        """
        PostgresAdapter.behavior.fset(self, list(flags))  # type: ignore[attr-defined]

    def acquire_connection(self, name: str | None = None) -> Connection:
        """Overridden to take the run lock before anything is read, the relation cache included."""
        self.take_run_lock()
        return super().acquire_connection(name)

    def take_run_lock(self) -> None:
        """Wait for the run lock, if this command needs it and has not got it."""
        command = getattr(getattr(self.config, "args", None), "which", None)
        is_wanted = self.config.credentials.run_lock and command in WRITING_COMMANDS
        if is_wanted and self._run_lock is None:
            self._run_lock = RunLock(self.config.credentials)
            self._run_lock.take()
            self.connections.join_run = self._run_lock.join

    def cleanup_connections(self) -> None:
        """Overridden to give back the space of a build that was not published, and the run lock."""
        self.connections.join_run = None  # What is left is ours, whoever holds the run lock.
        self._drop_unpublished()
        self._kept.drop()
        super().cleanup_connections()
        if self._run_lock is not None:
            self._run_lock.release()
            self._run_lock = None

    @property
    def is_alone(self) -> bool:
        """Whether it holds the run lock: without, what is left might be of a build that goes on."""
        return self._run_lock is not None

    @available
    def server_version(self) -> int:
        """The server's version as the server writes it, such as 180006; costs no query."""
        return int(self.connections.get_thread_connection().handle.server_version)

    @available
    def seed_for_copy(self, model: Mapping[str, Any]) -> Seed | None:
        """The seed to load with COPY; None if dbt-postgres has to load it."""
        return seed_for_copy(self.config, model)

    @available
    def begin_seed(self) -> None:
        """Begin the transaction in which a seed is replaced."""
        self.connections.begin_in_earnest()

    @available
    def commit_seed(self) -> None:
        """End it."""
        self.connections.commit_in_earnest()

    @available
    def copy_seed(self, relation: PgcopyRelation, seed: Seed) -> int:
        """Stream the file of a seed into its table and return the number of records."""
        session = self.connections.get_thread_connection().handle
        with (
            self.reading(seed) as file,
            self._separator_noted(relation, seed, file.delimiter),
        ):
            records = 0
            for columns, chunks in file.copy_parts():
                stored = [seed.wanted[name] for name in columns]
                query = _copy(relation, stored, file.delimiter).as_string(session)
                records += self.copy_from(chunks, query)
            return records

    @available
    def note_loaded(self, schema: str, seed: Seed) -> None:
        """Note which file the table of a seed holds, as it is loaded; none with --empty."""
        sha256 = self._files.get(seed.path.name, "")
        with self.connections.get_thread_connection().handle.cursor() as cursor:
            immutable_builds.note_loaded(cursor, schema, seed.path.name, sha256)

    @contextmanager
    def reading(self, seed: Seed) -> Iterator[SeedFile]:
        """The file of a seed, to be read to its end; it is noted as one that the build is of."""
        copy = self._kept.copy(seed.path, seed.kept_in)
        try:
            with SeedFile(
                copy,
                list(seed.wanted),
                delimiter=seed.delimiter,
                name=seed.path.name,
                encoding=seed.encoding,
            ) as file:
                yield file
                self._files[seed.path.name] = file.sha256
                self._kept.note(copy, file.sha256)
        except SeedFileError as error:
            if self.connections.get_if_exists():
                self.connections.rollback_if_open()  # type: ignore[no-untyped-call]
            raise DbtRuntimeError(str(error)) from error

    @available
    def name_table(self, mart: str) -> str:
        """The name of this build's table of a mart."""
        return immutable_builds.table_name(mart, get_invocation_id())

    @available
    def note_built(self, view: PgcopyRelation, table: PgcopyRelation) -> None:
        """From now on, `ref` of what the view shows finds the table that this run has built."""
        self.Relation.built[address(view)] = table

    @available
    def prepare_builds(self, schema: str) -> None:
        """Before each table of a build and seed: make what publishing needs, once."""
        self._drop_leftovers(schema)
        with self._preparing, self.connections.exception_handler("prepare builds"):
            if self._unpublished_in is None:
                session = self.connections.get_thread_connection().handle
                with immutable_builds.transaction(session) as cursor:
                    self._built_on = immutable_builds.prepare(cursor, schema)
                self._unpublished_in = schema

    def _drop_leftovers(self, schema: str) -> None:
        """Before anything is written, once: drop the tables of builds that were broken off."""
        with self._preparing:
            if self.is_alone and not self._is_tidy:
                self._drop(immutable_builds.drop_unpublished, schema)
            self._is_tidy = True

    @available
    def publish_build(
        self,
        schema: str,
        marts: Mapping[str, Mapping[str, Any]],
        noted: Mapping[str, Any],
        wait_seconds: float,
    ) -> str:
        """Publish this build; why it could not be, or an empty text.

        Args:
            schema: of the tables of builds.
            marts: every mart of the project, by name; see `immutable_builds.Build`.
            noted: `options`, `versions`, `run_id` and `returns`, as `publish_build` has them; the
                names of all `seeds`; and `is_part`, whether some model was not built.
            wait_seconds: how long to wait for those who hold a view.
        """
        session = self.connections.get_thread_connection().handle
        versions = {
            "dbt": version("dbt-core"),
            "postgres": session.info.parameter_status("server_version"),
        }
        tables = {view: table.identifier for view, table in self.Relation.built.items()}
        build = Build(
            schema,
            get_invocation_id(),
            {
                name: {
                    **mart,
                    "table": tables.get(
                        (self.config.credentials.database, mart["view_schema"], name)
                    ),
                }
                for name, mart in marts.items()
            },
            self._files,
            {**_selection(self.config.args), **noted["options"]},
            self.config.version,
            {**versions, **noted["versions"]},
            noted["run_id"],
            self._run_lock,
            self._built_on,
            **noted["returns"],
            seeds=[f"{name}.csv" for name in noted["seeds"] if self.loads_seeds],
            is_part=noted["is_part"],
        )
        self._kept.keep()
        try:
            number = immutable_builds.publish(session, build, wait_seconds, logger.info)
        except PublishingError as error:
            return str(error)
        except psycopg2.Error as error:
            return self._what_became_of(build, error)
        self._unpublished_in = None
        logger.info(f"Published as build {number}.")
        return ""

    @available
    def is_retry(self) -> bool:
        """Whether this is `dbt retry`, which passes for the command that it repeats."""
        context = click.get_current_context(silent=True)
        return context is not None and context.command.name == "retry"

    @available
    def is_sample(self) -> bool:
        """Whether `--sample` narrows what is read, which is none of the `flags` in Jinja."""
        return getattr(self.config.args, "SAMPLE", None) is not None

    @available
    def drop_unneeded_tables(self, schema: str, keep: int) -> None:
        """Drop the tables that are not of the newest `keep` builds.

        That it cannot be done fails nothing.
        """
        self._drop(immutable_builds.drop_unneeded, schema, keep)

    @available
    def forget_files(self, schema: str, most_megabytes: int) -> None:
        """Remove those files of the oldest builds that are more than so many MB.

        That it cannot be done fails nothing.
        """
        session = self.connections.get_thread_connection().handle
        try:
            wanted = immutable_builds.files_of_builds(session, schema)
            self._kept.forget(wanted, most_megabytes * 1_000_000)
        except (psycopg2.Error, OSError) as error:
            logger.warning(f"Files of older builds stay for now: {error}")

    def _drop(self, drop: Callable[..., object], *arguments: object) -> None:
        session = self.connections.get_thread_connection().handle
        try:
            drop(session, *arguments)
        except psycopg2.Error as error:
            logger.warning(f"Tables of older builds stay for now: {error}")

    def _drop_unpublished(self) -> None:
        schema, self._unpublished_in = self._unpublished_in, None
        if schema is None:
            return
        try:
            with self.connection_named("drop unpublished"):
                session = self.connections.get_thread_connection().handle
                immutable_builds.drop_unpublished(session, schema, get_invocation_id())
        except (psycopg2.Error, DbtRuntimeError) as error:
            logger.warning(f"The tables of this build stay until the next one: {error}")

    def _what_became_of(self, build: Build, error: psycopg2.Error) -> str:
        """After an error: the message that is true, which a new session has to find out."""
        said = " ".join(str(error).split()).rstrip(".")
        self.connections.join_run = None  # Whoever only looks need not hold the lock.
        name = self.connections.get_thread_connection().name
        self.connections.close(self.connections.get_thread_connection())
        connection = self.connections.set_connection_name(name)
        try:
            number = immutable_builds.number_of(
                connection.handle, build.schema, build.invocation_id
            )
        except (psycopg2.Error, DbtRuntimeError):
            text = (
                f"The database was lost while this build was being published: {said}. What was "
                "published before stays, unless this build was published in that moment: the table "
                f"{build.schema}.publications tells."
            )
            return with_sqlstate(error, text)
        if number is not None:
            self._unpublished_in = None
            return ""
        text = f"The build could not be published: {said}. {immutable_builds.STAYS}"
        return with_sqlstate(error, text)

    @contextmanager
    def _separator_noted(
        self, relation: PgcopyRelation, seed: Seed, separator: str
    ) -> Iterator[None]:
        """Meanwhile, each record that is loaded says what separates its file, if no comma does."""
        if separator == "," or SEPARATOR not in seed.wanted:
            yield
            return
        column = sql.Identifier(seed.wanted[SEPARATOR])
        alter = sql.SQL("alter table {} alter column {} {}")
        set_default = sql.SQL("set default {}").format(sql.Literal(separator))
        table = sql.SQL(relation.render())
        with self.connections.get_thread_connection().handle.cursor() as cursor:
            cursor.execute(alter.format(table, column, set_default))
            yield
            cursor.execute(alter.format(table, column, sql.SQL("drop default")))

    def copy_from(self, chunks: Iterator[bytes], query: str) -> int:
        """Stream chunks of bytes into the COPY of a query, and return the number of rows."""
        logger.debug(query)
        stream = _Stream(chunks)
        with (
            self.connections.exception_handler(query),
            self.connections.get_thread_connection().handle.cursor() as cursor,
        ):
            try:
                cursor.copy_expert(query, stream)
            except psycopg2.Error as error:
                # psycopg2 keeps only the text of what goes wrong while it reads.
                raise stream.error or error from None
            return int(cursor.rowcount)


class _Stream:
    """The chunks of a file as something to read from; remembers why it could not go on."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self.error: Exception | None = None

    def read(self, _size: int) -> bytes:
        try:
            # An empty chunk would mean the end.
            return next(filter(None, self._chunks), b"")
        except Exception as error:
            self.error = error
            raise


def _selection(arguments: Any) -> dict[str, Any]:
    """What dbt was asked to build, where that is not everything.

    Unit tests build nothing, and look at nothing that is built: a build without them is whole.
    """
    names = ("select", "exclude", "selector", "resource_types", "exclude_resource_types", "vars")
    given = {name: getattr(arguments, name, None) for name in names}
    kinds = given["exclude_resource_types"] or ()
    given["exclude_resource_types"] = [kind for kind in kinds if kind != "unit_test"]
    return {
        name: value if isinstance(value, str | dict) else list(value)
        for name, value in given.items()
        if value
    }


def _copy(relation: PgcopyRelation, columns: list[str], delimiter: str) -> sql.Composable:
    return sql.SQL(
        "copy {table} ({columns}) from stdin (format csv, delimiter {delimiter}, encoding 'UTF8')"
    ).format(
        table=sql.SQL(relation.render()),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        delimiter=sql.Literal(delimiter),
    )
