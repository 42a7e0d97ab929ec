"""The adapter: dbt-postgres, and what its macros need for seeds and the run lock."""

from collections.abc import Iterator, Mapping
from multiprocessing.context import SpawnContext
from typing import Any

import psycopg2
from dbt.adapters.base.meta import available
from dbt.adapters.contracts.connection import Connection
from dbt.adapters.events.logging import AdapterLogger
from dbt.adapters.pgcopy.connections import PgcopyConnectionManager
from dbt.adapters.pgcopy.relation import PgcopyRelation
from dbt.adapters.pgcopy.run_lock import WRITING_COMMANDS, RunLock
from dbt.adapters.pgcopy.seeds import Seed, refuse_what_dbt_cannot_hash, seed_for_copy
from dbt.adapters.postgres.impl import PostgresAdapter
from dbt_common.exceptions import DbtRuntimeError
from psycopg2 import sql
from seed_csv import SeedFile, SeedFileError

logger = AdapterLogger("Pgcopy")


class PgcopyAdapter(PostgresAdapter):
    """dbt-postgres plus the methods that the seed materialization calls."""

    ConnectionManager = PgcopyConnectionManager
    Relation = PgcopyRelation
    connections: PgcopyConnectionManager
    _run_lock: RunLock | None = None

    def __init__(self, config: Any, mp_context: SpawnContext) -> None:
        # dbt makes its adapter just before it parses the project.
        refuse_what_dbt_cannot_hash(config)
        super().__init__(config, mp_context)

    @PostgresAdapter.behavior.setter  # type: ignore[attr-defined,untyped-decorator]
    def behavior(self, flags: list[Any]) -> None:
        """Overridden to leave dbt's own list of flags as it is.

        dbt adds ours to it for each adapter made in a process, and looks through the whole call
        stack for each flag: the twentieth run in a process would take seconds to begin.
        """
        PostgresAdapter.behavior.fset(self, list(flags))  # type: ignore[attr-defined]

    def acquire_connection(self, name: str | None = None) -> Connection:
        """Overridden to take the run lock before anything is read, the relation cache included."""
        if self._run_lock is None and self._needs_run_lock():
            self._run_lock = RunLock(self.config.credentials)
            self._run_lock.take()
        return super().acquire_connection(name)

    def cleanup_connections(self) -> None:
        """Overridden to let the run lock go, after every session of the run."""
        super().cleanup_connections()
        if self._run_lock is not None:
            self._run_lock.release()
            self._run_lock = None

    def _needs_run_lock(self) -> bool:
        command = getattr(getattr(self.config, "args", None), "which", None)
        return bool(self.config.credentials.run_lock) and command in WRITING_COMMANDS

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
        try:
            with SeedFile(seed.path, list(seed.wanted), delimiter=seed.delimiter) as file:
                columns = [seed.wanted[name] for name in file.columns]
                query = _copy(relation, columns, seed.delimiter).as_string(session)
                return self._copy_from(file, query)
        except SeedFileError as error:
            self.connections.rollback_if_open()  # type: ignore[no-untyped-call]
            raise DbtRuntimeError(str(error)) from error

    def _copy_from(self, file: SeedFile, query: str) -> int:
        logger.debug(query)
        stream = _Stream(file.copy_chunks())
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


def _copy(relation: PgcopyRelation, columns: list[str], delimiter: str) -> sql.Composable:
    return sql.SQL(
        "copy {table} ({columns}) from stdin (format csv, delimiter {delimiter}, encoding 'UTF8')"
    ).format(
        table=sql.SQL(relation.render()),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        delimiter=sql.Literal(delimiter),
    )
