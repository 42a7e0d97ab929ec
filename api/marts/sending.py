"""How answers are sent: with a second try, as a stream or in a file, to be kept for how long."""

import hashlib
import math
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager

import psycopg2
from flask import Response, current_app, request
from psycopg2 import errors
from werkzeug.http import http_date, parse_date, unquote_etag
from werkzeug.wsgi import wrap_file

from api import database
from api.marts.copying import BLOCK
from api.marts.published import lost_table
from api.problems import unavailable
from elute.database import faults
from elute.database.builds import Build, Mart

# Each holds a session and a thread until its client has all of it; the others stay free.
MOST_STREAMS = 12
_STREAMS = threading.BoundedSemaphore(MOST_STREAMS)
_YEAR = 365 * 24 * 3600  # seconds
_FORMAT = "4"  # another number when the same rows come to look different
# What PostgreSQL takes for a date or a time, and for another one tomorrow.
_MOVING = re.compile(r"\b(now|today|tomorrow|yesterday)\b", re.IGNORECASE)
_VARY = "Accept, Authorization, Cookie, Prefer, Range"


def has_client_gone() -> Callable[[], bool]:
    """What to call to know whether the client of this request has left; only waitress knows."""
    found: Callable[[], bool] = request.environ.get("waitress.client_disconnected", lambda: False)
    return found


def again(answer: Callable[[], Response]) -> Response:
    """An answer; with a second try for what can have come in between.

    Raises:
        Problem: 503, a table of the published build is not there, at the second try either.
    """
    try:
        return answer()
    except errors.InsufficientPrivilege:
        # Made by another user: the upgrade gives the reading role its rights.
        database.current().reset()
    except errors.UndefinedTable:
        pass  # The build was pruned after it was looked up, or the table of builds is not there.
    except psycopg2.Error as error:
        fault = faults.of_error(error)
        if not (fault and fault.ends_sessions):
            raise
        # The server has been started anew: no session is of use.
        database.current().forget_readers()
    try:
        return answer()
    except errors.UndefinedTable as error:
        raise lost_table(error) from error


def streamed(
    body: Iterator[bytes], respond: Callable[[Iterable[bytes], bool], Response], stack: ExitStack
) -> Response:
    """A response of any length, sent as it comes; `stack` is closed when all of it was read.

    An error from here on breaks it off, which clients notice. With HTTP/1.0 only a length that is
    known before lets them notice, so the body is collected in a file first.

    Args:
        body: what is sent.
        respond: makes the response of it, and is told whether it was collected.
        stack: what is held until all of the body has been read.

    Raises:
        Problem: 503, too many are sent already.
    """
    with ExitStack() as until_sent:
        until_sent.enter_context(place(_STREAMS))
        if request.environ.get("SERVER_PROTOCOL") == "HTTP/1.0":
            file = until_sent.enter_context(tempfile.TemporaryFile())
            file.writelines(body)
            length = file.tell()
            file.seek(0)
            response = respond(wrap_file(request.environ, file, BLOCK), True)
            response.content_length = length
        else:
            response = respond(body, False)
            until_sent.push(stack.pop_all())
        response.call_on_close(until_sent.pop_all().close)
        return response


def validators(build: Build, mart: Mart, media_type: str, *, is_fixed: bool) -> dict[str, str]:
    """The headers of the answer to this request.

    Args:
        build: whose rows are asked for.
        mart: they are of; its query, if it has one, says of which tables.
        media_type: of the answer.
        is_fixed: whether the address names the build, so that the answer is the same for ever.
    """
    request_text = "\0".join(
        (
            _FORMAT,
            build.invocation_id,
            mart.table.query,
            request.full_path,
            media_type,
            request.headers.get("Range", ""),
            request.headers.get("Prefer", ""),
        )
    )
    digest = hashlib.blake2b(request_text.encode("utf-8", "surrogateescape"), digest_size=9)
    # The full second after it was published; nothing before that, as more may follow in it.
    second = math.ceil(build.published_at.timestamp())
    etag = f'"{build.number}-{digest.hexdigest()}"'
    last_modified = {"Last-Modified": http_date(second)}
    if any(_MOVING.search(text) for _, text in request.args.items(multi=True)):
        return {"ETag": f"W/{etag}", **last_modified, "Cache-Control": "no-store", "Vary": _VARY}
    if is_fixed:
        return {"ETag": etag, **last_modified, **for_ever(), "Vary": _VARY}
    return {
        "ETag": f"W/{etag}",
        **(last_modified if second <= time.time() else {}),
        "Cache-Control": "no-cache",
        "Vary": f"{_VARY}, Accept-Datetime",
    }


def is_not_modified(headers: dict[str, str]) -> bool:
    """Whether the client has the very answer that has these validators."""
    if headers.get("Cache-Control") == "no-store":
        return False
    if request.if_none_match:
        return request.if_none_match.contains_weak(unquote_etag(headers["ETag"])[0])
    since = request.if_modified_since
    modified = parse_date(headers.get("Last-Modified")) if since else None
    return since is not None and modified is not None and since >= modified


def to_save(response: Response, name: str, extension: str) -> Response:
    """A response that browsers save as a file, if it is one of rows."""
    if response.status_code == 200:
        file = re.sub(r"[^\w-]", "_", name)
        response.headers["Content-Disposition"] = f'attachment; filename="{file}.{extension}"'
    return response


def for_ever() -> dict[str, str]:
    """The headers that let what never changes be kept, by whoever may read it."""
    kept_by = "private" if current_app.config["SETTINGS"].read_token else "public"
    return {
        "Cache-Control": f"{kept_by}, max-age={_YEAR}, immutable",
        "Vary": "Authorization, Cookie",
    }


@contextmanager
def place(places: threading.Semaphore) -> Iterator[None]:
    """Take one of these places.

    Raises:
        Problem: 503, all are taken.
    """
    if not places.acquire(blocking=False):
        raise unavailable("Busy", "Too many large answers are being sent. Try again shortly.")
    try:
        yield
    finally:
        places.release()
