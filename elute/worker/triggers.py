"""Runs that the active worker requests itself: on schedule, when files change, and at first."""

import logging
import time
from typing import Any

from elute import provenance
from elute.database.queries import execute
from elute.database.sessions import Session
from elute.runs import queue
from elute.runs.run import now
from elute.settings import Settings
from elute.workbooks import files_signature
from elute.worker.schedule import Schedule
from elute.worker.watch import Watch

logger = logging.getLogger("elute.worker")


class Triggers:
    """Requests runs. Only the active worker has this, so each is requested once."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self._session, self._settings = session, settings
        self._schedule = self._watch = None
        if settings.schedule:
            # A clock that was ahead once has left times that are still to come.
            since = min(self._latest("last_scheduled") or now(), now())
            self._schedule = Schedule(settings.schedule, since)
        if settings.watches_files:
            self._watch = Watch(self._latest("last_files"))
        self._checked_at = 0.0

    def files(self) -> dict[str, Any]:
        """The three files as they are now; a run that starts now reads these."""
        files = files_signature(self._settings.seeds_dir)
        if self._watch:
            self._watch.was_read(files)
        return files

    def first_build(self) -> None:
        """Request a build if there is nothing to show yet."""
        [row] = execute(self._session, "has_marts")
        if not row["has_marts"]:
            self._request("first build")

    def check(self) -> None:
        """Request what is due now."""
        if self._schedule and self._schedule.is_due(now()) and self._request("schedule"):
            moment = now()
            self._schedule.mark_done(moment)
            execute(self._session, "note_schedule", {"moment": moment})
        if self._watch and time.monotonic() - self._checked_at >= 1.0:
            self._checked_at = time.monotonic()
            files = files_signature(self._settings.seeds_dir)
            if not self._watch.is_due(files, self._checked_at):
                return
            # A build in a terminal may have read them meanwhile.
            if files == self._latest("last_files") or self._request("file change"):
                self._watch.was_read(files)

    def seconds_left(self) -> float:
        """How long the worker may wait before the next check."""
        seconds = 1.0 if self._watch else 30.0
        return min(seconds, self._schedule.seconds_left(now())) if self._schedule else seconds

    def _request(self, trigger: str) -> bool:
        """Request a run, if it would make another build; False if that has to wait."""
        current = provenance.current(self._session, self._settings)
        if current:
            logger.info("No run for %s: build %d is current.", trigger, current.build)
            execute(self._session, "notify_messages", {"payload": "success"})
            return True
        try:
            run = queue.request(self._session, trigger, "elute worker")
        except queue.OtherOptionsError:
            return False  # As soon as that one has started.
        logger.info("Run %d: requested by %s.", run.run_id, trigger)
        return True

    def _latest(self, query: str) -> Any:
        """The only value that a query finds; None if it finds none."""
        rows = execute(self._session, query)
        return next(iter(rows[0].values())) if rows else None
