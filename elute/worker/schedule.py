"""When a schedule is due."""

from datetime import datetime

from cronsim import CronSim

from elute.time_zone import local_zone


def next_tick(schedule: str, after: datetime) -> datetime:
    """The first moment after `after` that the schedule names.

    Around a change to or from summer time, as Debian's cron does it: a fixed hour that is left out
    comes right after the gap, and one that comes twice counts once.

    Args:
        schedule: five cron fields, in the time zone of `after`.
        after: with a time zone.
    """
    return next(CronSim(schedule, after))


class Schedule:
    """Says when it is time, once for each tick, and once for all that were missed.

    Args:
        schedule: five cron fields.
        since: ticks up to then are done with.
    """

    def __init__(self, schedule: str, since: datetime) -> None:
        self._schedule = schedule
        self._zone = local_zone()
        self._next = self._tick_after(since)

    def is_due(self, moment: datetime) -> bool:
        """Whether a tick has come that is not done with."""
        if moment < self._next:  # Nearer than it seemed, once a clock that was ahead is set back.
            self._next = min(self._next, self._tick_after(moment))
        return moment >= self._next

    def mark_done(self, moment: datetime) -> None:
        """All ticks up to this moment are done with."""
        self._next = self._tick_after(moment)

    def seconds_left(self, moment: datetime) -> float:
        """Until the next tick; 0 if it is due."""
        return max(0.0, (self._next - moment).total_seconds())

    def _tick_after(self, moment: datetime) -> datetime:
        return next_tick(self._schedule, moment.astimezone(self._zone))
