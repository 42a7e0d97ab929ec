"""Which build an answer is of: ETag, Last-Modified, and whether the client has it already."""

import hashlib
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache
from typing import Any

from werkzeug.datastructures import Headers

from api.database import Session
from api.web import pool

VARY = "Accept, Authorization, Cookie, Prefer, Range"
_FORMAT = "2"  # another number when the same rows come to look different
_MOST_KNOWN = 1000
_PUBLISHED = """
select extract(epoch from published_at)::float8 from builds.publications where build = %s
"""
_known: dict[tuple[int, int], float] = {}  # by the count of connections, and the build


@dataclass(frozen=True)
class Version:
    """A published build: its number, and when it was published, in seconds.

    `question` is all that the answer depends on besides, and `place` the cluster that it is from.
    """

    build: int
    published_at: float | None
    question: str
    place: str

    @property
    def etag(self) -> str:
        """The validator; weak, for it says nothing of how the bytes are sent."""
        # When it was published, too: a server put back to an earlier state gives numbers once more.
        words = "\0".join((_FORMAT, self.place, str(self.published_at), self.question))
        digest = hashlib.blake2b(words.encode("utf-8", "surrogateescape"), digest_size=9)
        return f'W/"{self.build:x}-{digest.hexdigest()}"'

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
        modified = {"Last-Modified": _as_date(second)} if second else {}
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


def version(build: int, question: str) -> Version:
    """The version of an answer from this build; when it was published is looked up once."""
    seen = pool.connection_count(), build
    published_at = _known.get(seen)
    if published_at is None:
        published_at = pool.reader().read(lambda session: _published_at(session, build))
        if published_at is not None:
            if len(_known) >= _MOST_KNOWN:
                _known.clear()
            _known[seen] = published_at
    return Version(build, published_at, question, pool.place())


def is_conditional(environ: Mapping[str, Any]) -> bool:
    """Whether a request asks only for what is newer than it has."""
    return "HTTP_IF_NONE_MATCH" in environ or "HTTP_IF_MODIFIED_SINCE" in environ


@lru_cache(maxsize=100)
def _as_date(second: int) -> str:
    return formatdate(second, usegmt=True)


def _published_at(session: Session, build: int) -> float | None:
    with session.cursor() as cursor:
        cursor.execute(_PUBLISHED, [build])
        row = cursor.fetchone()
    return row[0] if row else None
