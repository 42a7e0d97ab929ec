"""Receive a file that a request carries, in constant memory, and never fill the disk."""

import errno
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import request

from api.problems import Problem

# What browsers and curl call a CSV file or a workbook; curl -T gives no type at all.
MEDIA_TYPES = (
    "text/csv",
    "application/octet-stream",
    "application/vnd.ms-excel",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "text/plain",
)
FORM = "multipart/form-data"
RESERVE = 100_000_000  # bytes of the disk that stay free
NO_ROOM = "There is not enough room on the server's disk for this. Make room and try again."


def receive(to: Path) -> None:
    """Write the file that this request carries, as its body or in a form.

    Raises:
        Problem: 400 a part of a file, or no form with one file, 415 another type of body, 507 the
            disk is full.
    """
    if "Content-Range" in request.headers:
        raise Problem(400, "Only a part", "Send the file whole, without Content-Range.")
    request.max_content_length = sys.maxsize  # The disk is the limit.
    is_form = request.mimetype == FORM  # Its parts are files of their own first.
    # The server in front of Flask has all of the body by now, and says how long it is.
    length = (request.content_length or 0) * (2 if is_form else 1)
    if shutil.disk_usage(to.parent).free < length + RESERVE:
        raise _no_room()
    if is_form:
        files = [file for _, file in request.files.items(multi=True)]
        if len(files) != 1:
            raise Problem(400, "Not one file", "Send a form with exactly one file in it.")
        files[0].save(to)
    elif request.mimetype in (*MEDIA_TYPES, ""):
        with to.open("wb") as file:
            shutil.copyfileobj(request.stream, file)
    else:
        raise Problem(
            415,
            "Not sent as a file",
            f"Send it as text/csv, not as {request.mimetype}: curl -T FILE …{request.path}",
        )


@contextmanager
def disk_problems() -> Iterator[None]:
    """Turn what a disk refuses into problems."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _no_room() from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT):
            raise Problem(
                409,
                "The folder cannot be written to",
                "Elute may not write to the folder with the input files. Let the account that it "
                "runs as write there, or set ELUTE_SEEDS_DIR to another folder.",
            ) from error
        raise


def _no_room() -> Problem:
    return Problem(507, "The disk is full", NO_ROOM)
