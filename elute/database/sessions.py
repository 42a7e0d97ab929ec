"""Sessions with the server that holds the tables, and what to tell who cannot have one."""

import os
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import postgres_here
import psycopg2
from postgres_here import HOST, USER
from psycopg2.extensions import connection as Session  # noqa: N812

from elute.errors import ServerError
from elute.settings import Settings

# Elute's own server need not be in a hurry to write what a build can make again; what is answered
# to a client is on disk first.
# A session that waits for what happens elsewhere is not to be ended for that; and the server, too,
# notices after a minute that whoever holds a lock has gone without a word.
_SESSION = """
select set_config('synchronous_commit', 'on', false)
where current_setting('synchronous_commit') = 'off';
set idle_session_timeout = 0;
set tcp_keepalives_idle = 30;
set tcp_keepalives_interval = 10;
set tcp_keepalives_count = 3;
set tcp_user_timeout = 60000
"""
OLDEST_SERVER = 150000  # PostgreSQL 15, as the server writes it
Row = tuple[Any, ...]
__all__ = ["OLDEST_SERVER", "Row", "Session", "accepts_sessions", "connect", "query"]


def connect(environment: Mapping[str, str] = os.environ, name: str = "elute") -> Session:
    """Open a session on the server that PG* name, in autocommit mode.

    Args:
        environment: the variables.
        name: what the session is called in pg_stat_activity.

    Raises:
        ServerError: it cannot be reached or refuses us, or is older than PostgreSQL 15.
    """
    try:
        session = psycopg2.connect(
            host=environment.get("PGHOST"),
            port=environment.get("PGPORT"),
            user=environment.get("PGUSER"),
            # Without one, libpq looks into ~/.pgpass.
            password=environment.get("PGPASSWORD") or None,
            dbname=environment.get("PGDATABASE"),
            require_auth=environment.get("PGREQUIREAUTH"),
            connect_timeout=5,
            application_name=name,
            # A server that has gone without a word, behind a network, is noticed after a minute.
            keepalives_idle=30,
            keepalives_interval=10,
            keepalives_count=3,
            tcp_user_timeout=60_000,
        )
    except psycopg2.Error as error:
        raise ServerError(
            "No connection to the database. "
            + " ".join(str(error).split()).rstrip(".")
            + f".{_advice(environment, error)}"
        ) from error
    if session.server_version < OLDEST_SERVER:
        version = session.info.parameter_status("server_version")
        session.close()
        raise ServerError(
            f"The server runs PostgreSQL {version}; Elute needs 15 or later. Set PGHOST to another "
            "server, or unset it: Elute then runs its own."
        )
    session.autocommit = True
    with session.cursor() as cursor:
        cursor.execute(_SESSION)
    return session


def _advice(environment: Mapping[str, str], error: psycopg2.Error) -> str:
    # Elute requires it of its own server, for which it sets the other variables itself.
    if environment.get("PGHOST") != HOST or "PGREQUIREAUTH" not in environment:
        return " Check PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE."
    if "password authentication failed" not in str(error):
        return ""
    path = Settings.from_environment().home / "postgres" / "password"
    return (
        f" Elute's own server does not take the password in {path}: write the one there that "
        f"was set for the user {USER}."
    )


def accepts_sessions(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the server that PG* name takes new sessions, if it has room for them.

    One that was told to shut down takes none, and may wait for those that there are (a smart
    shutdown): whoever keeps one asks every few seconds, and lets go of it.
    """
    return bool(postgres_here.accepts(environment["PGHOST"], int(environment["PGPORT"])))


def query(sql: str) -> tuple[list[str], list[Row]]:
    """Run one query on a session of its own; the names of its columns, and its rows.

    Raises:
        ServerError: there is no session to be had.
        psycopg2.Error: the query fails.
    """
    with closing(connect()) as session, session.cursor() as cursor:
        cursor.execute(sql)
        return [column.name for column in cursor.description or ()], cursor.fetchall()
