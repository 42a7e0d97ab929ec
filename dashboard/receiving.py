"""How waitress receives requests: within limits of time and room, and refused in our words."""

import contextlib
import errno
import json
import re
import shutil
import tempfile
import time
from typing import Any
from urllib.parse import quote

from waitress.buffers import OverflowableBuffer
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.receiver import ChunkedReceiver
from waitress.task import ErrorTask
from waitress.utilities import BadRequest

from api import access, problems, uploads

HEAD_SECONDS = 20  # for the first line and the headers
LEAST_RATE = 1000  # bytes of a body in a second, of one that has taken longer than that
_LONGEST_LINE = 8 * 1024  # bytes of a body in chunks that are of none: of a size, or at its end
_LONG_SPACE = re.compile(rb"[ \t\r\n]{40}")
_LONGEST_OF_ANYBODY = 64 * 1024  # bytes kept of a body whose request may change nothing
_ASCII = bytes(range(128)).decode()
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_CURES = {
    413: "A body may have at most 4 GiB.",
    431: "The address and the headers may have 64 KiB together. Ask for fewer values at a time.",
    507: uploads.NO_ROOM,
}


class _NoRoom(BadRequest):
    code = 507
    reason = "Insufficient Storage"


class _Body(OverflowableBuffer):
    """Keeps a long body on disk, and none of it if the disk has no room.

    A client that was not asked to wait has to be let finish: it would be reset, and not see why.

    Attributes:
        is_let_go: whether it is not kept.
    """

    is_let_go = False

    def append(self, data: bytes) -> None:
        """Keep this too."""
        if self.is_let_go:
            return
        try:
            if self.has_room_for(len(data)):
                super().append(data)
                return
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
        self.is_let_go = True
        with contextlib.suppress(OSError):  # Closing writes what is left.
            self.close()

    def has_room_for(self, length: int) -> bool:
        """Whether that many bytes more can be kept."""
        if len(self) + length <= self.overflow:
            return True
        return shutil.disk_usage(tempfile.gettempdir()).free >= length + uploads.RESERVE


class _ShortBody(OverflowableBuffer):
    """Keeps the beginning, and nothing on disk."""

    def append(self, data: bytes) -> None:
        """Keep what there is room for."""
        super().append(data[: _LONGEST_OF_ANYBODY - len(self)])


class _Request(HTTPRequestParser):
    """Also reads an address whose letters are not percent-encoded: curl sends what is typed."""

    body_rcv: Any
    content_length: int
    expect_continue: bool

    def __init__(self, application: Any, adjustments: Any) -> None:
        super().__init__(adjustments)
        self._application = application
        self._begun_at = time.monotonic()

    @property
    def is_late(self) -> bool:
        """Whether what has come so far has taken too long."""
        seconds = time.monotonic() - self._begun_at
        is_slow = self.body_bytes_received < seconds * LEAST_RATE
        return seconds > HEAD_SECONDS and (not self.headers_finished or is_slow)

    def received(self, data: bytes) -> int:
        """Read what has come; how many bytes of it.

        Waitress keeps a line between two chunks in memory, however long it is.
        """
        count: int = super().received(data)
        body = self.body_rcv
        lines = (body.control_line, body.trailer) if isinstance(body, ChunkedReceiver) else ()
        if any(len(line) > _LONGEST_LINE for line in lines):
            self.error, self.completed = BadRequest("a line between chunks is too long"), True
        if isinstance(buffer := getattr(body, "buf", None), _Body) and not self.error:
            waits_in_vain = self.expect_continue and not buffer.has_room_for(self.content_length)
            if waits_in_vain or (buffer.is_let_go and self.completed):
                self.error, self.completed = _NoRoom("the disk is full"), True
                self.expect_continue = False
        return count

    def parse_header(self, header_plus: bytes) -> None:
        """Read the first line and the headers.

        The time that waitress takes grows with the square of the white space before a value, and
        werkzeug's with that in a cookie: a minute for 64 KiB. Lines may be folded there.
        """
        if _LONG_SPACE.search(header_plus):
            raise ParsingError("a header has too much white space")
        line, end, headers = header_plus.partition(b"\r\n")
        super().parse_header(quote(line, safe=_ASCII).encode() + end + headers)
        # Waitress waits for a body after its "100 Continue", whether or not one is to come.
        self.expect_continue &= bool(self.content_length) or self.chunked
        if self.body_rcv is None:
            return
        if access.may_change(
            self._application, {f"HTTP_{name}": value for name, value in self.headers.items()}
        ):
            self.body_rcv.buf = _Body(self.adj.inbuf_overflow)
            return
        # A body that the app refuses by the headers alone, or a form for the token, which is short.
        self.body_rcv.buf = _ShortBody(self.adj.inbuf_overflow)
        if self.expect_continue and self.content_length > _LONGEST_OF_ANYBODY:
            self.body_rcv, self.content_length, self.expect_continue = None, 0, False
            self.headers.update(CONTENT_LENGTH="0", CONNECTION="close")


class _Refusal(ErrorTask):
    """Says what is no request in the words of the app's own problems."""

    def execute(self) -> None:
        """Answer."""
        error = self.request.error
        problem = problems.Problem(
            error.code, error.reason, _CURES.get(error.code, f"This is no HTTP: {error.body}.")
        )
        body = json.dumps(problem.as_json()).encode() + b"\n"
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", problems.MEDIA_TYPE))
        self.content_length = len(body)
        self.set_close_on_finish()
        self.write(body)


class Channel(HTTPChannel):
    """A connection that ends when its client takes too long to send a request, at whatever pace."""

    error_task_class = _Refusal

    def parser_class(self, adjustments: Any) -> _Request:
        """One for each request."""
        return _Request(self.server.application, adjustments)

    def readable(self) -> bool:
        """Asked at each turn of the loop, and so about once a second."""
        if self.request is not None and self.request.is_late:
            self.will_close = True
        return bool(super().readable())
