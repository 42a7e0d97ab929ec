"""Waiting for those who hold a view, without ever standing in front of readers for long."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from psycopg2.extensions import STATUS_BEGIN, TRANSACTION_STATUS_IDLE
from psycopg2.extensions import connection as PostgresSession  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from immutable_builds.queries import QUERIES

STAYS = "What was published before stays."
_BRIEF = 1.0  # seconds; a transaction that takes longer is named, and not queued behind
_QUEUE_EVERY = 0.5  # seconds between two attempts that make readers wait
_POLL, _LONG_POLL = 0.01, 0.2  # seconds; short, for a Ctrl-C does not interrupt a query


class PublishingError(Exception):
    """A build cannot be published; says why, for people."""


class Holder(NamedTuple):
    """A session whose transaction holds a view.

    `seconds` since it began; None if we may not know, without `pg_read_all_stats`. `transaction`
    tells it from others of that session.
    """

    pid: int
    application: str
    user: str
    since: str
    seconds: float | None
    relations: str
    transaction: str

    def __str__(self) -> str:
        return (
            f"{self.application} (pid {self.pid}, user {self.user}), in a transaction since "
            f"{self.since} on {self.relations}"
        )


class Waiting:
    """Says when to try again.

    Args:
        views: quoted names of all that an attempt locks.
        publications: quoted name of the table `publications`.
        seconds: how long to wait in all.
        say: told for whom it waits.
    """

    def __init__(
        self,
        views: Sequence[str],
        publications: str,
        seconds: float,
        say: Callable[[str], object],
    ) -> None:
        self._relations = {"views": list(views), "publications": publications}
        self._seconds, self._tell = seconds, say
        self._until = time.monotonic() + seconds
        self._queued_at = time.monotonic()
        self._seen: dict[str, float] = {}  # when each transaction was first met
        self._said: set[int] = set()

    def wait(self, session: PostgresSession) -> None:
        """Wait until there is a chance: nobody holds a view, or for a moment only.

        Raises:
            PublishingError: the time is up.
        """
        pause = _POLL
        while True:
            time.sleep(pause)
            holders = self._holders(session)
            now = time.monotonic()
            if now >= self._until:
                raise PublishingError(
                    f"Publishing was held up for {self._seconds:g} s: {_listed(holders)}. "
                    f"This build stays unpublished. {STAYS} Let that transaction end, and build "
                    "again."
                )
            if not holders:
                return
            lasting = [h for h in holders if self._seconds_of(h, now) > _BRIEF]
            if not lasting and now - self._queued_at >= _QUEUE_EVERY:
                self._queued_at = now
                return
            self._say(lasting)
            pause = _LONG_POLL if lasting else _POLL

    def _seconds_of(self, holder: Holder, now: float) -> float:
        seen = now - self._seen.setdefault(holder.transaction, now)
        return seen if holder.seconds is None else holder.seconds

    def _holders(self, session: PostgresSession) -> list[Holder]:
        with transaction(session) as cursor:
            cursor.execute(QUERIES["holders"], self._relations)
            return [Holder(*row) for row in cursor.fetchall()]

    def _say(self, holders: Sequence[Holder]) -> None:
        pids = {holder.pid for holder in holders}
        if pids - self._said:
            self._tell(f"Publishing waits for {_listed(holders)}.")
            self._said |= pids


@contextmanager
def transaction(session: PostgresSession) -> Iterator[Cursor]:
    """One transaction, whatever dbt has made psycopg2 believe of the session."""
    roll_back(session)
    autocommit = session.autocommit
    session.autocommit = False
    try:
        with session.cursor() as cursor:
            yield cursor
        session.commit()
    except BaseException:
        if not session.closed:  # Or the reason would be lost in the rollback's own error.
            session.rollback()
        raise
    finally:
        if not session.closed:
            session.autocommit = autocommit


def roll_back(session: PostgresSession) -> None:
    """Leave the transaction that psycopg2 believes in.

    It does not see a `commit` that dbt has sent as plain text, and of a `rollback` outside a
    transaction the server would warn in its log.
    """
    is_idle = session.info.transaction_status == TRANSACTION_STATUS_IDLE
    if is_idle and session.status == STATUS_BEGIN:
        with session.cursor() as cursor:
            cursor.execute("begin")
    session.rollback()


def _listed(holders: Sequence[Holder]) -> str:
    return "; ".join(map(str, holders)) or "by a session that is not to be seen"
