"""When a schedule is due."""

import os
from datetime import datetime, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from cronsim import CronSim


def next_tick(schedule: str, after: datetime) -> datetime:
    """The first moment after `after` that the schedule names.

    Around a change to or from summer time, as Debian's cron does it: a fixed hour that is left out
    comes right after the gap, and one that comes twice counts once.

    Args:
        schedule: five cron fields, in the time zone of `after`.
        after: with a time zone.
    """
    return next(CronSim(schedule, after))


def local_zone() -> tzinfo:
    """The zone of this machine, with its changes to and from summer time.

    `datetime.astimezone` knows only the offset that holds now.
    """
    name = os.environ.get("TZ", "").lstrip(":")
    try:
        if name and not name.startswith("/"):
            return ZoneInfo(name)
        return _zone_of_file(Path(name or "/etc/localtime"))
    except (OSError, ValueError, KeyError):
        return datetime.now().astimezone().tzinfo or timezone.utc


def _zone_of_file(path: Path) -> tzinfo:
    _, found, name = str(path.resolve()).partition("zoneinfo/")
    if found:
        return ZoneInfo(name)
    with path.open("rb") as file:
        return ZoneInfo.from_file(file)


class Schedule:
    """Says when it is time, once for each tick, and once for all that were missed.

    Args:
        schedule: five cron fields.
        since: ticks up to then are done with.
    """

    def __init__(self, schedule: str, since: datetime) -> None:
        self._schedule = schedule
        self._zone = local_zone()
        self.mark_done(since)

    def is_due(self, moment: datetime) -> bool:
        """Whether a tick has come that is not done with."""
        return moment >= self._next

    def mark_done(self, moment: datetime) -> None:
        """All ticks up to this moment are done with."""
        self._next = next_tick(self._schedule, moment.astimezone(self._zone))

    def seconds_left(self, moment: datetime) -> float:
        """Until the next tick; 0 if it is due."""
        return max(0.0, (self._next - moment).total_seconds())
