"""A lock that lets one writing dbt command at a time work on a database."""

import time
from contextlib import suppress
from dataclasses import replace
from uuid import uuid4

import psycopg2
from dbt.adapters.contracts.connection import Connection, ConnectionState, Identifier
from dbt.adapters.events.logging import AdapterLogger
from dbt.adapters.pgcopy.connections import PgcopyConnectionManager, PgcopyCredentials
from dbt.adapters.pgcopy.database_errors import LOST
from dbt_common.exceptions import DbtDatabaseError
from immutable_builds import STAYS
from psycopg2.extensions import connection as PostgresSession  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

WRITING_COMMANDS = frozenset(
    {"build", "clone", "retry", "run", "run-operation", "seed", "snapshot", "test"}
)
_POLL = 0.1  # seconds; short waits let Ctrl-C through, which a waiting query would not
_SAY_SO_AFTER = 1.0

_TRY = "select pg_try_advisory_lock(hashtextextended(%s, 0))"
_SHARE = "select pg_try_advisory_lock_shared(hashtextextended(%s, 0))"
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
    """Session advisory locks, held from `take` to `release`.

    The lock itself is on a connection of its own. Not in a hook: dbt fills its cache of relations
    before the first hook, and closes the session of a hook after it. If dbt dies, the server frees
    the lock with the session. If that session alone is lost, others of the run may still be at
    work: each holds a second lock in share mode, and whoever takes the run lock waits for those.
    """

    def __init__(self, credentials: PgcopyCredentials) -> None:
        self._name = str(credentials.run_lock)
        self._sessions = f"{self._name} sessions"
        # A lock that no other run takes: whether it can be had tells whether the session is gone.
        self._proof = f"{self._name} {uuid4()}"
        self._connection = Connection(
            type=Identifier(PgcopyConnectionManager.TYPE),
            name="run_lock",
            credentials=replace(
                credentials,
                application_name=f"{credentials.session_name} run lock",
                autocommit=True,
            ),
        )

    @property
    def lost(self) -> str:
        """What to say when it is not held any more."""
        return (
            f"The session that held the run lock '{self._name}' was lost, so another run may be "
            f"going on. This build stays unpublished. {STAYS} Build again.\nSQLSTATE {LOST}"
        )

    def take(self) -> None:
        """Wait until nobody else holds the lock or works under it; say once who does."""
        PgcopyConnectionManager.open(self._connection)
        with self._connection.handle.cursor() as cursor:
            # Nor is a lock to be held for hours by who has gone without a word.
            cursor.execute(
                "set idle_session_timeout = 0; set tcp_keepalives_idle = 30; "
                "set tcp_keepalives_interval = 10; set tcp_keepalives_count = 3"
            )
            self._wait_for(cursor, self._name)
            self._wait_for(cursor, self._sessions)
            cursor.execute("select pg_advisory_unlock(hashtextextended(%s, 0))", [self._sessions])
            cursor.execute(_TRY, [self._proof])

    def release(self) -> None:
        """Let the lock go, if it was taken."""
        if self._connection.state == ConnectionState.OPEN:
            # The server ends the session some time after it is closed here.
            with suppress(psycopg2.Error), self._connection.handle.cursor() as cursor:
                cursor.execute("select pg_advisory_unlock_all()")
            PgcopyConnectionManager.close(self._connection)

    def join(self, session: PostgresSession) -> None:
        """Have a session work under the lock.

        Raises:
            DbtDatabaseError: the lock is lost.
        """
        with session.cursor() as cursor:
            cursor.execute(_SHARE, [self._sessions])
            is_held = self.is_held(cursor)
        session.commit()
        if not is_held:
            raise DbtDatabaseError(self.lost)

    def is_held(self, cursor: Cursor) -> bool:
        """Whether the session that took the lock is still there: then nobody gets the proof."""
        cursor.execute(_SHARE, [self._proof])
        return cursor.fetchone() == (False,)

    def _wait_for(self, cursor: Cursor, name: str) -> None:
        started, said = time.monotonic(), False
        while not self._try(cursor, name):
            if not said and time.monotonic() - started >= _SAY_SO_AFTER:
                logger.info(self._waiting(cursor, name))
                said = True
            time.sleep(_POLL)

    def _try(self, cursor: Cursor, name: str) -> bool:
        cursor.execute(_TRY, [name])
        return cursor.fetchone() == (True,)

    def _waiting(self, cursor: Cursor, name: str) -> str:
        cursor.execute(_HOLDER, [name])
        holder = cursor.fetchone()
        if not holder:
            return f"Waiting for the run lock '{self._name}'."
        pid, application, since = (value or "unknown" for value in holder)
        return (
            f"Another run holds the run lock '{self._name}' (pid {pid}, {application}, "
            f"since {since}). Waiting until it ends."
        )
