"""Whether a client is still there, where the server in front of Flask can tell."""

from collections.abc import Callable

from flask import request


def is_closed() -> Callable[[], bool]:
    """A function, for any thread, that tells whether the client of this request has hung up."""
    is_disconnected: Callable[[], bool] = request.environ.get(
        "waitress.client_disconnected", lambda: False
    )
    return is_disconnected
