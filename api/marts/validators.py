"""What a client needs to ask whether there is something newer, and whether it has asked that."""

import hashlib
import math
import time
from email.utils import formatdate, parsedate_to_datetime

from flask import request

from api.marts.sending import for_ever
from elute.database.builds import Build

_FORMAT = "3"  # another number when the same rows come to look different
_VARY = "Accept, Authorization, Cookie, Prefer, Range"


def validators(build: Build, media_type: str, *, is_fixed: bool) -> dict[str, str]:
    """The headers of the answer to this request.

    Args:
        build: whose rows are asked for.
        media_type: of the answer.
        is_fixed: whether the address names the build, so that the answer is the same for ever.
    """
    request_text = "\0".join(
        (
            _FORMAT,
            build.invocation_id,
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
    last_modified = {"Last-Modified": formatdate(second, usegmt=True)}
    if is_fixed:
        return {"ETag": etag, **last_modified, "Cache-Control": for_ever(), "Vary": _VARY}
    return {
        "ETag": f"W/{etag}",
        **(last_modified if second <= time.time() else {}),
        "Cache-Control": "no-cache",
        "Vary": f"{_VARY}, Accept-Datetime",
    }


def is_known(headers: dict[str, str]) -> bool:
    """Whether the client has the very answer that has these validators."""
    tags = request.headers.get("If-None-Match")
    if tags is not None:
        etag = headers["ETag"].removeprefix("W/")
        return any(tag.strip().removeprefix("W/") in (etag, "*") for tag in tags.split(","))
    since = request.headers.get("If-Modified-Since")
    if since is None or "Last-Modified" not in headers:
        return False
    try:
        given = parsedate_to_datetime(since)
    except (ValueError, TypeError, OverflowError):
        return False
    return given >= parsedate_to_datetime(headers["Last-Modified"])
