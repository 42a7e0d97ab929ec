"""When a schedule is due, around the changes of the clocks too."""

from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from elute.errors import SettingsError
from elute.settings import Settings
from elute.time_zone import local_zone
from elute.worker.schedule import Schedule, next_tick

BERLIN = ZoneInfo("Europe/Berlin")
UTC = timezone.utc


def at(*fields: int, fold: int = 0) -> datetime:
    return datetime(*fields, tzinfo=BERLIN, fold=fold)  # type: ignore[misc, arg-type]


def ticks(schedule: str, after: datetime, count: int) -> list[datetime]:
    found = []
    for _ in range(count):
        after = next_tick(schedule, after)
        found.append(after)
    return found


def test_the_hour_stays_the_same_through_the_year() -> None:
    summer = next_tick("0 6 * * *", at(2026, 7, 1, 12))
    winter = next_tick("0 6 * * *", at(2026, 12, 1, 12))
    assert (summer.hour, winter.hour) == (6, 6)
    assert summer.utcoffset() != winter.utcoffset()


def test_an_hour_that_is_left_out_is_made_up_for_at_once() -> None:
    night = ticks("30 2 * * *", at(2026, 3, 28, 12), 2)
    assert night[0].astimezone(UTC) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)  # 3:00 in summer
    assert night[1] == at(2026, 3, 30, 2, 30)


def test_an_hour_that_comes_twice_counts_once() -> None:
    night = ticks("30 2 * * *", at(2026, 10, 24, 12), 2)
    assert [tick.day for tick in night] == [25, 26]


def test_every_quarter_of_an_hour_goes_on_through_both_changes() -> None:
    for day in (at(2026, 3, 29, 0, 50), at(2026, 10, 25, 0, 50)):
        moments = [tick.astimezone(UTC) for tick in ticks("*/15 * * * *", day, 16)]
        steps = {later - earlier for earlier, later in pairwise(moments)}
        assert steps == {timedelta(minutes=15)}


def test_a_tick_is_due_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    schedule = Schedule("0 6 * * *", datetime(2026, 1, 1, 5, tzinfo=UTC))
    assert not schedule.is_due(datetime(2026, 1, 1, 5, 59, 59, tzinfo=UTC))
    tick = datetime(2026, 1, 1, 6, tzinfo=UTC)
    assert schedule.is_due(tick)
    schedule.mark_done(tick)
    assert not schedule.is_due(tick)
    assert schedule.seconds_left(tick) == 24 * 60 * 60


def test_a_clock_that_was_ahead_stops_no_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    schedule = Schedule("0 6 * * *", datetime(2026, 1, 1, 5, tzinfo=UTC))
    assert schedule.is_due(datetime(2036, 1, 1, 7, tzinfo=UTC))
    schedule.mark_done(datetime(2036, 1, 1, 7, tzinfo=UTC))
    assert not schedule.is_due(datetime(2026, 1, 1, 7, tzinfo=UTC))
    assert schedule.is_due(datetime(2026, 1, 2, 6, tzinfo=UTC))


def test_ticks_that_were_missed_are_made_up_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    schedule = Schedule("0 * * * *", datetime(2026, 1, 1, tzinfo=UTC))
    days_later = datetime(2026, 1, 4, 12, 30, tzinfo=UTC)
    assert schedule.is_due(days_later)
    schedule.mark_done(days_later)
    assert not schedule.is_due(days_later)


@pytest.mark.parametrize("name", ["Europe/Berlin", ":Europe/Berlin"])
def test_the_zone_is_that_of_the_environment(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("TZ", name)
    assert local_zone() == BERLIN


def test_a_file_of_its_own_is_a_zone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "zoneinfo" / "Laboratory"
    file.parent.mkdir()
    head = b"TZif2" + bytes(15) + (0).to_bytes(16, "big") + b"\0\0\0\1\0\0\0\4"
    block = head + bytes(6) + b"UTC\0"
    file.write_bytes(2 * block + b"\nLAB-3\n")
    monkeypatch.setenv("TZ", str(file))
    assert datetime(2026, 7, 1, tzinfo=local_zone()).utcoffset() == timedelta(hours=3)


@pytest.mark.parametrize(
    ("name", "summer", "winter"),
    [
        ("CET-1CEST,M3.5.0,M10.5.0/3", 2, 1),
        ("CET-1CEST", 2, 1),
        ("EST5EDT", -4, -5),
        ("<+03>-3", 3, 3),
        ("UTC0", 0, 0),
    ],
)
def test_a_rule_keeps_summer_time(
    monkeypatch: pytest.MonkeyPatch, name: str, summer: int, winter: int
) -> None:
    monkeypatch.setenv("TZ", name)
    for month, hours in ((7, summer), (12, winter)):
        moment = datetime(2026, month, 1, tzinfo=local_zone())
        assert moment.utcoffset() == timedelta(hours=hours)
        assert next_tick("0 6 * * *", moment).utcoffset() == timedelta(hours=hours)


def test_there_is_always_a_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "")
    assert next_tick("0 6 * * *", datetime.now(local_zone())).hour == 6


@pytest.mark.parametrize("name", ["No/Such_Zone", "garbage", "../x", "/no/file", "CET-1CEST,M3"])
def test_a_zone_that_there_is_not_is_an_error(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("TZ", name)
    with pytest.raises(SettingsError, match="TZ is"):
        Settings.from_environment({"ELUTE_SCHEDULE": "0 6 * * *"})
