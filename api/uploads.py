"""Receive a file that a request carries, in constant memory, and never fill the disk."""

import errno
import io
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from flask import request
from werkzeug.formparser import FormDataParser

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
_BLOCK = 1 << 20


def receive(to: Path) -> None:
    """Write the file that this request carries, as its body or in a form.

    Raises:
        Problem: 400 no form with one file, or not all of it has come, 415 another type of body,
            507 the disk is full.
    """
    request.max_content_length = sys.maxsize  # The disk is the limit.
    _require_room(to.parent, request.content_length or 0)
    body = _Body(to.parent)
    if request.mimetype == FORM:
        _receive_form(body, to)
    elif request.mimetype in (*MEDIA_TYPES, ""):
        _receive_body(body, to)
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


class _Body(io.RawIOBase):
    """The body of this request, as long as there is room for it; its end only if all has come.

    Args:
        folder: where it is written to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._count = folder, 0

    def read(self, size: int = -1) -> bytes:
        """Read at most `size` bytes; none at the end."""
        block = request.stream.read(size)
        self._count += len(block)
        # Who closes the connection too early looks like one who has sent all.
        if not block and request.content_length not in (None, self._count):
            raise Problem(
                400,
                "Broken off",
                f"{self._count} of {request.content_length} bytes have come. Send the file again.",
            )
        _require_room(self._folder)
        return block


def _receive_body(body: _Body, to: Path) -> None:
    with to.open("wb") as file:
        while block := body.read(_BLOCK):
            file.write(block)


def _receive_form(body: _Body, to: Path) -> None:
    opened: list[IO[bytes]] = []

    def open_part(*_about: object, **_more: object) -> IO[bytes]:
        if opened:
            raise _one_file()
        opened.append(to.open("w+b"))
        return opened[0]

    parser = FormDataParser(open_part, max_form_memory_size=_BLOCK, max_form_parts=10, silent=False)
    try:
        stream = cast("IO[bytes]", body)
        parser.parse(stream, FORM, request.content_length, request.mimetype_params)
    except ValueError as error:
        raise Problem(400, "No form", "The form cannot be read. Send it again.") from error
    finally:
        for file in opened:
            file.close()
    if not opened:
        raise _one_file()


def _one_file() -> Problem:
    return Problem(400, "Not one file", "Send a form with exactly one file in it.")


def _require_room(folder: Path, length: int = 0) -> None:
    if shutil.disk_usage(folder).free < length + RESERVE:
        raise _no_room()


def _no_room() -> Problem:
    return Problem(
        507,
        "The disk is full",
        "There is not enough room on the server's disk for this. Make room and try again.",
    )
