"""What an error of the database says in whatever language: its SQLSTATE."""

import psycopg2

LOST = "08006"  # connection_failure
CANNOT_CONNECT = "08001"  # sqlclient_unable_to_establish_sqlconnection
_OURS = "X0001"  # raised by the macro publish_build


def with_sqlstate(error: psycopg2.Error, text: str = "") -> str:
    """The text, or else the server's message, and the SQLSTATE in a line after it."""
    if error.pgcode == _OURS:
        return error.diag.message_primary or ""
    text, code = text or str(error).strip(), error.pgcode
    # Of a connection that is gone, psycopg2 has no SQLSTATE to tell.
    if code is None and type(error) in (
        psycopg2.DatabaseError,
        psycopg2.OperationalError,
        psycopg2.InterfaceError,
    ):
        code = LOST
    return f"{text}\nSQLSTATE {code}" if code else text
