"""A lock that lets one writing dbt command at a time work on a database."""

import time
from contextlib import suppress
from dataclasses import replace

import psycopg2
from dbt.adapters.contracts.connection import Connection, ConnectionState, Identifier
from dbt.adapters.events.logging import AdapterLogger
from dbt.adapters.pgcopy.connections import PgcopyConnectionManager, PgcopyCredentials

WRITING_COMMANDS = frozenset(
    {"build", "clone", "retry", "run", "run-operation", "seed", "snapshot", "test"}
)
_POLL = 0.1  # seconds; short waits let Ctrl-C through, which a waiting query would not
_SAY_SO_AFTER = 1.0

_TAKE = "select pg_try_advisory_lock(hashtextextended(%s, 0))"
# The holder's last query is the one that took the lock, so its start is when that was. Columns of
# another role's session read as null.
_HOLDER = """
select activity.pid, activity.application_name, activity.query_start::timestamp(0)::text
from pg_locks as held
join pg_stat_activity as activity using (pid)
where held.locktype = 'advisory' and held.granted and held.objsubid = 1
    and held.database = (select oid from pg_database where datname = current_database())
    and (held.classid::bigint << 32 | held.objid::bigint) = hashtextextended(%s, 0)
"""

logger = AdapterLogger("Pgcopy")


class RunLock:
    """A session advisory lock on a connection of its own, held from `take` to `release`.

    Not in a hook: dbt fills its cache of relations before the first hook, and closes the session
    of a hook after it. If dbt dies, the server frees the lock with the session.
    """

    def __init__(self, credentials: PgcopyCredentials) -> None:
        self._name = credentials.run_lock
        self._connection = Connection(
            type=Identifier(PgcopyConnectionManager.TYPE),
            name="run_lock",
            credentials=replace(
                credentials,
                application_name=f"{credentials.session_name} run lock",
                autocommit=True,
            ),
        )

    def take(self) -> None:
        """Wait until nobody else holds the lock; say once who does."""
        PgcopyConnectionManager.open(self._connection)
        with self._connection.handle.cursor() as cursor:
            cursor.execute("set idle_session_timeout = 0")
        started, said = time.monotonic(), False
        while not self._try():
            if not said and time.monotonic() - started >= _SAY_SO_AFTER:
                logger.info(self._waiting())
                said = True
            time.sleep(_POLL)

    def release(self) -> None:
        """Let the lock go, if it was taken."""
        if self._connection.state == ConnectionState.OPEN:
            # The server ends the session some time after it is closed here.
            with suppress(psycopg2.Error), self._connection.handle.cursor() as cursor:
                cursor.execute("select pg_advisory_unlock_all()")
            PgcopyConnectionManager.close(self._connection)

    @property
    def holder(self) -> tuple[str, int]:
        """The name of the lock, and the process id of the session that holds it."""
        return str(self._name), int(self._connection.handle.info.backend_pid)

    def _try(self) -> bool:
        with self._connection.handle.cursor() as cursor:
            cursor.execute(_TAKE, (self._name,))
            return bool(cursor.fetchone()[0])

    def _waiting(self) -> str:
        with self._connection.handle.cursor() as cursor:
            cursor.execute(_HOLDER, (self._name,))
            holder = cursor.fetchone()
        if not holder:
            return f"Waiting for the run lock '{self._name}'."
        pid, application, since = (value or "unknown" for value in holder)
        return (
            f"Another run holds the run lock '{self._name}' (pid {pid}, {application}, "
            f"since {since}). Waiting until it ends."
        )
