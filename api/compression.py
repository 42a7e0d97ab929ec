"""Gzip for clients that accept it (RFC 9110, 8.4); a stream is compressed block by block."""

import re
import zlib
from collections.abc import Iterable, Iterator

from flask import Flask, Response, request
from werkzeug.http import quote_etag

LEAST = 512  # bytes: what is shorter is not sent any sooner
_LEVEL = 1  # more than twice as fast as the usual 6, for a third more bytes
_GZIP = 31  # zlib's window bits for this format
# Not events, of which each has to arrive by itself, nor what is compressed already.
_TEXT = re.compile(r"text/(?!event-stream)|application/(.+\+)?(x-ndjson|json|javascript)$|.+\+xml$")
# A strong ETag is of these very bytes, so it says in which encoding they are.
_MARK = "-gzip"


def init_app(app: Flask) -> None:
    """Compress the answers of this app. What is registered later sees them as they were before."""
    app.before_request(_unmark)
    app.after_request(_compressed)


def _unmark() -> None:
    """Let views find their own ETag in what the client has.

    Not in If-Range: of the compressed bytes no range can be had.
    """
    for name in ("HTTP_IF_NONE_MATCH", "HTTP_IF_MATCH"):
        tags = request.environ.get(name, "")
        if _MARK in tags:
            request.environ[name] = tags.replace(f'{_MARK}"', '"')
            request.environ["elute.is_marked"] = True


def _compressed(response: Response) -> Response:
    if response.status_code == 304:
        response.vary.add("Accept-Encoding")
        if request.environ.get("elute.is_marked"):
            _mark(response)
        return response
    if not _is_text(response):
        return response
    response.vary.add("Accept-Encoding")
    length = response.content_length
    if length is not None and length < LEAST:
        return response
    is_wanted = request.accept_encodings.best_match(["gzip", "identity"]) == "gzip"
    # HTTP/1.0 knows no end but the length, which is not known of a stream before its end.
    if is_wanted and request.environ.get("SERVER_PROTOCOL") != "HTTP/1.0":
        _compress(response)
    return response


def _is_text(response: Response) -> bool:
    is_part = response.headers.get("Content-Range", "").startswith("bytes")
    is_redirection = 300 <= response.status_code < 400
    if is_part or is_redirection or "Content-Encoding" in response.headers:
        return False
    return bool(_TEXT.match(response.mimetype or ""))


def _compress(response: Response) -> None:
    if response.is_sequence:
        response.set_data(b"".join(_blocks([response.get_data()])))
    else:
        for name in ("Content-Length", "Accept-Ranges"):
            response.headers.pop(name, None)
        response.direct_passthrough = False
        response.call_on_close(getattr(response.response, "close", lambda: None))
        response.response = _blocks(response.iter_encoded())
    response.content_encoding = "gzip"
    _mark(response)


def _mark(response: Response) -> None:
    etag, is_weak = response.get_etag()
    if etag and not is_weak:
        response.headers["ETag"] = quote_etag(f"{etag}{_MARK}")


def _blocks(body: Iterable[bytes]) -> Iterator[bytes]:
    """Each block can be read as soon as it has come."""
    compressor = zlib.compressobj(_LEVEL, wbits=_GZIP)
    for block in body:
        yield compressor.compress(block) + compressor.flush(zlib.Z_SYNC_FLUSH)
    yield compressor.flush()
