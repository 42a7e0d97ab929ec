"""Which build an answer is of: ETag, Last-Modified, and whether the client has it already."""

import hashlib
import math
import time
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime

from werkzeug.datastructures import Headers

_FORMAT = "1"  # another number when the same rows come to look different
VARY = "Accept, Authorization, Cookie, Prefer, Range"


@dataclass(frozen=True)
class Version:
    """A published table: its oid, which each build renews, and when it was published, in seconds.

    `question` is all that the answer depends on besides, and `place` the cluster that it is from.
    """

    table_oid: int
    published_at: float | None
    question: str
    place: str

    @property
    def etag(self) -> str:
        """The validator; weak, for rows that tie may come in another order."""
        words = "\0".join((_FORMAT, self.place, self.question))
        digest = hashlib.blake2b(words.encode("utf-8", "surrogateescape"), digest_size=9)
        return f'W/"{self.table_oid:x}-{digest.hexdigest()}"'

    @property
    def last_modified(self) -> int | None:
        """The full second after it was published; None before that, as more may follow in it."""
        if self.published_at is None:
            return None
        second = math.ceil(self.published_at)
        return second if second <= time.time() else None

    def headers(self) -> dict[str, str]:
        """What a client needs to ask whether there is something newer."""
        second = self.last_modified
        modified = {"Last-Modified": formatdate(second, usegmt=True)} if second else {}
        return {"ETag": self.etag, "Cache-Control": "no-cache", "Vary": VARY, **modified}

    def is_known(self, headers: Headers) -> bool:
        """Whether a request with these headers has this very answer already."""
        tags = headers.get("If-None-Match")
        if tags is not None:
            known = [tag.strip().removeprefix("W/") for tag in tags.split(",")]
            return self.etag.removeprefix("W/") in known or "*" in known
        since, second = headers.get("If-Modified-Since"), self.last_modified
        if since is None or second is None:
            return False
        try:
            return parsedate_to_datetime(since).timestamp() >= second
        except (ValueError, TypeError, OverflowError):
            return False


def is_conditional(headers: Headers) -> bool:
    """Whether a request asks only for what is newer than it has."""
    return "If-None-Match" in headers or "If-Modified-Since" in headers
