"""Tells receivers outside what becomes of runs, in a thread of its own: no run waits for one."""

import logging
import queue as queues
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from elute.database.queries import execute
from elute.database.sessions import Session, connect
from elute.settings import Settings
from elute.worker import chats, webhooks

PAUSES = (5, 30, 300, 1800, 7200, 18000, 36000, 21600)  # seconds; a day together
_LONGEST_WAIT, _WITHOUT_DATABASE = 60.0, 5.0  # seconds
logger = logging.getLogger("elute.worker")


class Messenger:
    """Delivers what waits in `elute.deliveries`, and pings. Only the active worker has one.

    A message may come twice, if a worker ends before it has noted the answer; its id is the same.

    Args:
        settings: who the receivers are.
        pauses: seconds between an attempt and the next; after the last of them it is given up.
        limit: seconds for an attempt.
    """

    def __init__(
        self, settings: Settings, pauses: Sequence[float] = PAUSES, limit: float = webhooks.LIMIT
    ) -> None:
        secret, self._ping_url = settings.webhook_secret, settings.ping_url
        self._receivers: dict[str, Callable[[dict[str, Any], float], tuple[bool, str]]] = {
            **{
                webhooks.receiver(u): partial(webhooks.send, u, secret)
                for u in settings.webhook_urls
            },
            **{chats.receiver(url): partial(chats.send, url) for url in settings.apprise_urls},
        }
        self._pauses, self._limit = pauses, limit
        self._news: queues.SimpleQueue[str | None] = queues.SimpleQueue()

    def start(self, session: Session) -> None:
        """Begin with what an earlier worker has left; who is new hears of what happens from now on.

        Args:
            session: in autocommit mode.
        """
        execute(session, "note_receivers", {"receivers": list(self._receivers)})
        if self._receivers or self._ping_url:
            threading.Thread(target=self._run, name="messenger", daemon=True).start()

    def wake(self, happened: str) -> None:
        """Look what is due; `happened` is for the ping: start, success or fail, and the run."""
        self._news.put(happened)

    def close(self) -> None:
        """End, after the attempt that is being made, if any."""
        self._news.put(None)

    def _run(self) -> None:
        seconds = 0.0
        while True:
            try:
                happened = self._news.get(timeout=seconds)
            except queues.Empty:
                happened = ""
            if happened is None:
                return
            try:
                if happened:
                    self._ping(*happened.split())
                seconds = self._deliver_one() if self._receivers else _LONGEST_WAIT
            except Exception as error:  # Whoever may connect may notify us, of whatever.
                logger.warning("No message is sent: %s", " ".join(str(error).split()))
                seconds = _WITHOUT_DATABASE

    def _ping(self, what: str, run: str | None = None) -> None:
        if self._ping_url is None:
            return
        parts = urlsplit(self._ping_url)
        path = parts.path.rstrip("/") + {"start": "/start", "fail": "/fail"}.get(what, "")
        # What receives it wants a UUID.
        identity = f"rid={UUID(int=int(run))}" if run else ""
        query = "&".join(filter(None, (parts.query, identity)))
        url = parts._replace(path=path, query=query).geturl()
        is_heard, answer = _attempt(partial(webhooks.ask, "GET", url, limit=self._limit))
        if not is_heard:
            logger.warning("ELUTE_PING_URL was not told of %s: %s", what, answer)

    def _deliver_one(self) -> float:
        """Make the attempt that is due; the seconds until the next one is."""
        for due in self._execute("plan_deliveries", "due_delivery"):
            self._deliver(due)
        [row] = self._execute("seconds_to_delivery")
        seconds = _LONGEST_WAIT if row["seconds"] is None else row["seconds"]
        return min(max(0.0, seconds), _LONGEST_WAIT)

    def _deliver(self, due: dict[str, Any]) -> None:
        receiver, attempts = due["receiver"], due["attempts"]
        is_delivered, answer = _attempt(partial(self._receivers[receiver], due, self._limit))
        is_last = is_delivered or attempts >= len(self._pauses)
        values = {
            "message_number": due["message_number"],
            "receiver": receiver,
            "is_delivered": is_delivered,
            "answer": answer,
            "pause": None if is_last else self._pauses[attempts],
        }
        self._execute("note_attempt", **values)
        if not is_delivered:
            logger.warning("Message %d to %s: %s", due["message_number"], receiver, answer)

    def _execute(self, *names: str, **values: Any) -> list[dict[str, Any]]:
        """Run queries, with a session that is not held while a receiver is waited for."""
        with closing(connect(name="elute messenger")) as session:
            values["receivers"] = list(self._receivers)
            return [execute(session, name, values) for name in names][-1]


def _attempt(tell: Callable[[], tuple[bool, str]]) -> tuple[bool, str]:
    """Whether it went well, and what there is to say: the others are told, whatever goes wrong."""
    try:
        return tell()
    except Exception as error:  # There are a hundred kinds; what it says may hold the address.
        place = traceback.extract_tb(error.__traceback__)[-1]
        return False, f"{type(error).__name__} in {Path(place.filename).name}:{place.lineno}"
