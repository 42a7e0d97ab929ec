"""Which server to use, as the PG* variables that libpq, dbt and psql read."""

from contextlib import closing

from postgres_here import HOST, USER

from api.errors import ServerError
from api.own_server import own_server
from api.settings import Settings


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


def connection_environment(settings: Settings) -> dict[str, str]:
    """PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE of the server to use.

    Elute's own server is started, and made, where need be; so is the database on it.

    Raises:
        ServerError: Elute's own server cannot be started.
    """
    if is_embedded(settings):
        return _embedded(settings)
    return {
        "PGHOST": settings.host or "",
        "PGPORT": str(settings.port),
        "PGUSER": settings.user,
        "PGPASSWORD": settings.password,
        "PGDATABASE": settings.database,
    }


def _embedded(settings: Settings) -> dict[str, str]:
    with own_server(settings) as server:
        port, password = server.start().port, server.password()
    environment = {
        "PGHOST": HOST,
        "PGPORT": str(port),
        "PGUSER": USER,
        "PGPASSWORD": password or "",
        "PGDATABASE": settings.database,
    }
    if settings.database != "postgres":
        _ensure_database(environment)
    return environment


def _ensure_database(environment: dict[str, str]) -> None:
    import psycopg2  # noqa: PLC0415 (only here, and slow to import)
    from psycopg2 import errors, sql  # noqa: PLC0415

    name = environment["PGDATABASE"]
    try:
        with closing(
            psycopg2.connect(
                host=environment["PGHOST"],
                port=environment["PGPORT"],
                user=environment["PGUSER"],
                password=environment["PGPASSWORD"],
                dbname="postgres",
            )
        ) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute("select from pg_database where datname = %s", [name])
            if cursor.fetchone() is None:
                cursor.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    except (errors.DuplicateDatabase, errors.UniqueViolation):
        pass  # Somebody else was quicker.
    except psycopg2.Error as error:
        raise ServerError(f"The database {name} (PGDATABASE) cannot be made: {error}") from error
