"""Credentials, and sessions that outlive a node."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.context import SpawnContext
from selectors import EVENT_READ, DefaultSelector
from typing import Optional

import agate  # type: ignore[import-untyped]
import psycopg2
from dbt.adapters.contracts.connection import (
    AdapterRequiredConfig,
    AdapterResponse,
    Connection,
    ConnectionState,
    LazyHandle,
)
from dbt.adapters.exceptions.connection import FailedToConnectError
from dbt.adapters.pgcopy.database_errors import CANNOT_CONNECT, with_sqlstate
from dbt.adapters.postgres.connections import PostgresConnectionManager, PostgresCredentials
from dbt_common.exceptions import DbtDatabaseError
from immutable_builds import roll_back
from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from psycopg2.extensions import connection as PostgresSession  # noqa: N812

_NO_ROWS = agate.Table(rows=[])


@dataclass
class PgcopyCredentials(PostgresCredentials):
    """What dbt-postgres takes in a profile, and `run_lock`.

    Attributes:
        run_lock: name of a lock that only one writing dbt command holds at a time; none if None.
        application_name: name of the sessions; if None, PGAPPNAME, or else "dbt".
    """

    # dbt makes a JSON schema of these, for which the annotations have to be of the old kind.
    run_lock: Optional[str] = None  # noqa: UP045
    application_name: Optional[str] = None  # noqa: UP045

    @property
    def type(self) -> str:
        """The `type` of a profile."""
        return "pgcopy"

    def _connection_keys(self) -> tuple[str, ...]:
        return (*super()._connection_keys(), "run_lock")  # type: ignore[no-untyped-call]

    @property
    def session_name(self) -> str:
        """What the sessions are called. Not a field: dbt parses all anew when a field changes."""
        return self.application_name or os.environ.get("PGAPPNAME") or "dbt"


class PgcopyConnectionManager(PostgresConnectionManager):
    """Opens as many sessions as there are threads at work, where dbt-postgres opens one per node.

    A session let go by one node is reset, as if it were new, and given to the next.

    Attributes:
        join_run: called with each session before it is used, by whoever holds the run lock.
    """

    TYPE = "pgcopy"
    join_run: Callable[[PostgresSession], None] | None = None

    def __init__(self, profile: AdapterRequiredConfig, mp_context: SpawnContext) -> None:
        super().__init__(profile, mp_context)  # type: ignore[no-untyped-call]
        self._idle: list[PostgresSession] = []

    @classmethod
    def open(cls, connection: Connection) -> Connection:
        """Overridden to name the session."""
        credentials = connection.credentials
        if not credentials.application_name:
            named = replace(credentials, application_name=credentials.session_name)
            connection.credentials = named
        try:
            opened: Connection = super().open(connection)  # type: ignore[no-untyped-call]
        except FailedToConnectError as error:
            raise FailedToConnectError(f"{error.msg}\nSQLSTATE {CANNOT_CONNECT}") from error
        return opened

    @contextmanager
    def exception_handler(self, sql: str) -> Iterator[None]:
        """Overridden to name the SQLSTATE."""
        with super().exception_handler(sql):
            try:
                yield
            except psycopg2.Error as error:
                raise DbtDatabaseError(with_sqlstate(error)) from error

    def cancel_open(self) -> list[str]:
        """Overridden because cancelling needs no run lock."""
        self.join_run = None
        names: list[str] = super().cancel_open()
        return names

    def set_connection_name(self, name: str | None = None) -> Connection:
        """Overridden so that a connection that is to be opened looks for an idle session first."""
        connection = super().set_connection_name(name)
        if connection.state != ConnectionState.OPEN:
            connection.handle = LazyHandle(self._reuse_or_open)
        return connection

    def release(self) -> None:
        """Overridden to keep the session where dbt-postgres closes it."""
        connection = self.get_if_exists()
        if connection and connection.state == ConnectionState.OPEN and self._keep(connection):
            connection.transaction_open = False
            connection.state = ConnectionState.CLOSED  # before the handle: see cancel_open
            connection.handle = None
        else:
            super().release()

    def cleanup_all(self) -> None:
        """Overridden to close the idle sessions too."""
        super().cleanup_all()
        while self._idle:
            self._idle.pop().close()

    def execute(
        self, sql: str, auto_begin: bool = False, fetch: bool = False, limit: int | None = None
    ) -> tuple[AdapterResponse, agate.Table]:
        """Overridden to share one table without rows, where dbt makes one for each statement.

        To make one, agate compiles its patterns of dates, which takes longer than most statements.
        """
        if fetch:
            result: tuple[AdapterResponse, agate.Table] = super().execute(
                sql, auto_begin, fetch, limit
            )
            return result
        _, cursor = self.add_query(self._add_query_comment(sql), auto_begin)
        return self.get_response(cursor), _NO_ROWS

    def begin_in_earnest(self) -> None:
        """Make sure that the session really is in a transaction.

        A hook outside the transaction sends `commit` as plain text, after which psycopg2 still
        believes in a transaction and every statement stands alone; with `autocommit` none begins.
        """
        connection = self.get_thread_connection()
        session = connection.handle
        with self.exception_handler("begin"):
            if session.info.transaction_status == TRANSACTION_STATUS_IDLE:
                roll_back(session)
                if session.autocommit:
                    session.cursor().execute("begin")
        if not connection.transaction_open:
            self.begin()  # type: ignore[no-untyped-call]

    def commit_in_earnest(self) -> None:
        """End what `begin_in_earnest` began; dbt-postgres sends no commit with `autocommit`."""
        session = self.get_thread_connection().handle
        with self.exception_handler("commit"):
            if session.autocommit:
                session.cursor().execute("commit")
        self.commit()  # type: ignore[no-untyped-call]

    def _keep(self, connection: Connection) -> bool:
        session = connection.handle
        if not isinstance(session, PostgresSession):
            return False  # dbt's own recorder of sessions
        try:
            roll_back(session)
            session.reset()
            session.autocommit = bool(connection.credentials.autocommit)
            if connection.credentials.role:
                # As dbt-postgres puts it, so that whatever works there works here.
                session.cursor().execute(f"set role {connection.credentials.role}")
                session.commit()
        except psycopg2.Error:
            return False
        self._idle.append(session)
        return True

    def _reuse_or_open(self, connection: Connection) -> Connection:
        connection = self._idle_or_new(connection)
        if self.join_run:
            with self.exception_handler("join the run"):
                self.join_run(connection.handle)
        return connection

    def _idle_or_new(self, connection: Connection) -> Connection:
        while self._idle:
            session = self._idle.pop()
            if _is_quiet(session):
                connection.handle = session
                connection.state = ConnectionState.OPEN
                return connection
            session.close()
        return self.open(connection)


def _is_quiet(session: PostgresSession) -> bool:
    """Whether the server has said nothing since: to an idle session it says only goodbye."""
    if session.closed:
        return False
    with DefaultSelector() as selector:
        selector.register(session, EVENT_READ)
        return not selector.select(0)
