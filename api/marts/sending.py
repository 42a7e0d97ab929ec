"""How answers are sent: with a second try, as a stream or collected in a file, and for how long."""

import re
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack

import psycopg2
from flask import Response, current_app, request
from psycopg2 import errors
from werkzeug.wsgi import wrap_file

from api import database
from api.marts.copying import BLOCK
from api.problems import Problem, unavailable

# Each holds a session and a thread until its client has all of it; the others stay free.
MOST_STREAMS = 12
_STREAMS = threading.BoundedSemaphore(MOST_STREAMS)
_YEAR = 365 * 24 * 3600  # seconds


def again(answer: Callable[[], Response]) -> Response:
    """An answer; with a second try for what can have come in between."""
    try:
        return answer()
    except errors.InsufficientPrivilege:
        # Made by another user: the upgrade gives the reading role its rights.
        database.current().reset()
    except errors.UndefinedTable:
        pass  # The build was pruned after it was looked up, or the table of builds is not there.
    except (psycopg2.OperationalError, psycopg2.InterfaceError):
        # The server has been started anew: no session is of use.
        database.current().forget_readers()
    return answer()


def streamed(
    body: Iterator[bytes], respond: Callable[[Iterable[bytes], bool], Response], stack: ExitStack
) -> Response:
    """A response of any length.

    It is sent as it comes, and `stack` closed when the client has it, or goes. What goes wrong from
    here on breaks the response off, which a client notices. One that only the length tells whether
    it has all of it gets what was collected in a file.

    Args:
        body: what is sent.
        respond: makes the response of it, and is told whether it was collected.
        stack: what is held until then.

    Raises:
        Problem: 503, too many are sent already.
    """
    if not _STREAMS.acquire(blocking=False):
        raise busy()
    stack.callback(_STREAMS.release)
    if request.environ.get("SERVER_PROTOCOL") != "HTTP/1.0":
        response = respond(body, False)
        response.call_on_close(stack.pop_all().close)
        return response
    file = tempfile.TemporaryFile()  # noqa: SIM115 (it is closed with the response)
    file.writelines(body)
    length = file.tell()
    file.seek(0)
    response = respond(wrap_file(request.environ, file, BLOCK), True)
    response.content_length = length
    return response


def to_save(response: Response, name: str, extension: str) -> Response:
    """A response that browsers save as a file, if it is one of rows."""
    if response.status_code == 200:
        file = re.sub(r"[^\w-]", "_", name)
        response.headers["Content-Disposition"] = f'attachment; filename="{file}.{extension}"'
    return response


def for_ever() -> str:
    """The Cache-Control of what never changes."""
    kept_by = "private" if current_app.config["SETTINGS"].read_token else "public"
    return f"{kept_by}, max-age={_YEAR}, immutable"


def busy() -> Problem:
    """503: others have to end first."""
    return unavailable("Busy", "Too many large answers are being sent. Try again shortly.")
