"""The route to compare with: Flask, pandas.read_sql and to_json, as one would first write it."""

import os
import socket
import sys
import warnings
from contextlib import closing
from queue import LifoQueue

import pandas  # type: ignore[import-untyped]
import psycopg2
from flask import Flask, Response, request

from dashboard.server import serve

warnings.filterwarnings("ignore", message="pandas only supports SQLAlchemy")
POOLED = os.environ.get("PANDAS_ROUTE_POOLED") == "1"
_ONE = "select * from marts.user_summary where user_id = %(user_id)s"
_PAGE = "select * from marts.user_summary order by user_id limit %(limit)s offset %(offset)s"
app = Flask(__name__)
_sessions: "LifoQueue[psycopg2.extensions.connection]" = LifoQueue()


@app.get("/users/<int:user_id>")
def one(user_id: int) -> Response:
    """One user."""
    return _answer(_ONE, {"user_id": user_id})


@app.get("/users")
def page() -> Response:
    """A page of users."""
    return _answer(_PAGE, {name: request.args.get(name, type=int) for name in ("limit", "offset")})


def _answer(query: str, values: dict[str, int | None]) -> Response:
    if not POOLED:
        with closing(psycopg2.connect("")) as session:
            return _fetched(session, query, values)
    session = psycopg2.connect("") if _sessions.empty() else _sessions.get()
    try:
        return _fetched(session, query, values)
    finally:
        session.commit()
        _sessions.put(session)


def _fetched(
    session: psycopg2.extensions.connection, query: str, values: dict[str, int | None]
) -> Response:
    frame = pandas.read_sql(query, session, params=values)
    return Response(frame.to_json(orient="records"), content_type="application/json")


if __name__ == "__main__":
    serve(app, [socket.socket(fileno=int(sys.argv[2]))])
