"""Which server to use, as the PG* variables that libpq, dbt and psql read."""

import os
from contextlib import closing

from postgres_here import HOST, USER

from elute.database.own_server import own_server
from elute.errors import ServerError
from elute.settings import Settings

# For whoever opens sessions for reading only, unless told otherwise: we are to write.
_WRITES = "-c default_transaction_read_only=off"


def is_embedded(settings: Settings) -> bool:
    """Whether these settings mean Elute's own server.

    They do without PGHOST, and also with what `elute env` printed for that server: its password
    is in no other's settings, while its port may have changed since.

    Raises:
        ServerError: the server's folder belongs to another account.
    """
    if settings.host is None:
        return True
    with own_server(settings) as server:
        return settings.host == HOST and settings.password == server.password()


def connection_environment(settings: Settings, *, may_start: bool = True) -> dict[str, str]:
    """The PG* that name the server to use, and those that our sessions there rely on.

    Elute's own server is started, and made, where need be; so is the database on it. That may take
    as long as a recovery does.

    Args:
        settings: which server.
        may_start: whether to start it, and to wait for it.

    Raises:
        ServerError: Elute's own server cannot be started, or does not run and is not to be started.
    """
    if is_embedded(settings):
        return {**_embedded(settings, may_start=may_start), **_session()}
    return {
        "PGHOST": settings.host or "",
        "PGPORT": str(settings.port),
        "PGUSER": settings.user,
        "PGPASSWORD": settings.password,
        "PGDATABASE": settings.database,
        **_session(),
    }


def _session() -> dict[str, str]:
    """What a build needs of every session. Of two options that contradict, the last one holds."""
    options = os.environ.get("PGOPTIONS", "")
    if options and not options.endswith(_WRITES):
        options = f"{options} {_WRITES}"
    return {"PGCLIENTENCODING": "UTF8", **({"PGOPTIONS": options} if options else {})}


def _embedded(settings: Settings, *, may_start: bool) -> dict[str, str]:
    with own_server(settings) as server:
        running = server.start() if may_start else server.running()
        password = server.password()
    if running is None:
        raise ServerError("Elute's own PostgreSQL takes no connections yet. Try again shortly.")
    environment = {
        "PGHOST": HOST,
        "PGPORT": str(running.port),
        "PGUSER": USER,
        "PGPASSWORD": password or "",
        "PGDATABASE": settings.database,
        # By this a server shows that it knows the password, too, before libpq says it: when ours
        # does not run, any account of this machine may listen on its port.
        "PGREQUIREAUTH": "scram-sha-256",
    }
    if settings.database != "postgres":
        _ensure_database(environment)
    return environment


def _ensure_database(environment: dict[str, str]) -> None:
    import psycopg2  # noqa: PLC0415 (only here, and slow to import)
    from psycopg2 import errors, sql  # noqa: PLC0415

    from elute.database.sessions import connect  # noqa: PLC0415

    name = environment["PGDATABASE"]
    try:
        with closing(connect({**environment, "PGDATABASE": "postgres"})) as session:
            cursor = session.cursor()
            cursor.execute("select from pg_database where datname = %s", [name])
            if cursor.fetchone() is None:
                cursor.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    except (errors.DuplicateDatabase, errors.UniqueViolation):
        pass  # Somebody else was quicker.
    except psycopg2.Error as error:
        raise ServerError(
            f"The database {name} (PGDATABASE) cannot be made: {' '.join(str(error).split())} "
            "Set PGDATABASE to another name, or leave it out."
        ) from error
