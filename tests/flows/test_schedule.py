"""The schedule follows the clock of the spec's time zone: one run a night, also when the clock changes at that very hour."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest


def nights(cron: str, zone: str, start: date, count: int) -> list[datetime]:
    """Return when Prefect's own scheduler starts runs, by the clock of the zone."""
    from prefect.server.schemas.schedules import CronSchedule

    begin = datetime(start.year, start.month, start.day, 12, tzinfo=UTC)
    planned = asyncio.run(CronSchedule(cron=cron, timezone=zone).get_dates(n=count, start=begin))
    return [moment.astimezone(ZoneInfo(zone)) for moment in planned]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "UTC"])
@pytest.mark.parametrize("cron", ["30 2 * * *", "0 2 * * *", "59 1 * * *", "0 0 * * *"])
def test_every_night_of_a_year_has_one_run(cron: str, zone: str) -> None:
    first = date(2026, 1, 1)
    started = nights(cron, zone, first, 366)
    # A night lasts from noon to noon: a run may be moved to before midnight where the clock goes forward at midnight.
    runs = Counter((moment.replace(tzinfo=None) - timedelta(hours=12)).date() for moment in started)
    assert set(runs.values()) == {1}
    assert len(runs) == 366
    assert (max(runs) - min(runs)).days == 365
    gaps = {later - earlier for earlier, later in pairwise(started)}
    assert max(gaps) <= timedelta(hours=25)


def test_the_run_of_an_hour_that_does_not_exist_comes_an_hour_earlier_and_of_one_that_comes_twice_once() -> None:
    spring = nights("30 2 * * *", "Europe/Berlin", date(2026, 3, 28), 2)
    assert [moment.strftime("%d %H:%M %z") for moment in spring] == ["29 01:30 +0100", "30 02:30 +0200"]
    autumn = nights("30 2 * * *", "Europe/Berlin", date(2026, 10, 24), 2)
    assert [moment.strftime("%d %H:%M %z") for moment in autumn] == ["25 02:30 +0200", "26 02:30 +0100"]
