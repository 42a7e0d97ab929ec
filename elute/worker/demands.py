"""What the active worker asks for by itself: on schedule, when files change, and at first."""

import logging
import time
from typing import Any

from elute.commands.check import COLUMNS
from elute.database.sessions import Session
from elute.runs import queue
from elute.settings import Settings
from elute.worker.events import now
from elute.worker.schedule import Schedule
from elute.worker.signature import files_signature
from elute.worker.watch import Watch

logger = logging.getLogger("elute.worker")


class Demands:
    """Asks for runs. Only the active worker has one, so each is asked for once."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self._session, self._settings = session, settings
        self._schedule = self._watch = None
        if settings.schedule:
            self._schedule = Schedule(settings.schedule, self._scheduled_last() or now())
        if settings.watches_files:
            self._watch = Watch(self._files_read_last())
        self._looked_at = 0.0

    def files(self) -> dict[str, Any]:
        """The three files as they are now; a run that starts now reads these."""
        files = files_signature(self._settings.seeds_dir, tuple(COLUMNS))
        if self._watch:
            self._watch.was_read(files)
        return files

    def first_build(self) -> None:
        """Ask for a build if there is nothing to show yet."""
        [row] = queue.execute(self._session, "has_marts")
        if not row["has_marts"]:
            self._ask("first build")

    def ask(self) -> None:
        """Ask for what is due now."""
        if self._schedule and self._schedule.is_due(now()) and self._ask("schedule"):
            self._schedule.seen_to(now())
        if self._watch and time.monotonic() - self._looked_at >= 1.0:
            self._looked_at = time.monotonic()
            files = files_signature(self._settings.seeds_dir, tuple(COLUMNS))
            if not self._watch.is_due(files, self._looked_at):
                return
            # A build in a terminal may have read them meanwhile.
            if files == self._files_read_last() or self._ask("file change"):
                self._watch.was_read(files)

    def seconds_left(self) -> float:
        """How long the worker may wait before it asks again."""
        seconds = 1.0 if self._watch else 30.0
        return min(seconds, self._schedule.seconds_left(now())) if self._schedule else seconds

    def _ask(self, trigger: str) -> bool:
        try:
            run = queue.request(self._session, trigger, "elute worker")
        except queue.OtherOptionsError:
            return False  # As soon as that one has started.
        logger.info("Run %d: asked for by %s.", run.run_id, trigger)
        return True

    def _scheduled_last(self) -> Any:
        rows = queue.execute(self._session, "last_scheduled")
        return rows[0]["moment"] if rows else None

    def _files_read_last(self) -> Any:
        rows = queue.execute(self._session, "last_files")
        return rows[0]["files"] if rows else None
