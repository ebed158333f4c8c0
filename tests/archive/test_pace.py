"""Gentleness: limits that all processes share, quiet hours on the archive's wall clock, waits that grow."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tasks.archive.pace import Pace, PassingError, quiet_until
from tasks.archive_spec import Limits
from tasks.errors import ReleaseError


@pytest.mark.parametrize(
    ("spans", "now", "until"),
    [
        (["07:00-19:00"], "2024-01-15T12:00+00:00", "19:00"),  # 13:00 in Berlin
        (["07:00-19:00"], "2024-01-15T05:30+00:00", None),  # 06:30
        (["07:00-19:00"], "2024-01-15T06:00+00:00", "19:00"),  # 07:00
        (["07:00-19:00"], "2024-01-15T18:00+00:00", None),  # 19:00
        (["22:00-05:00"], "2024-01-15T22:30+00:00", "05:00"),  # 23:30
        (["22:00-05:00"], "2024-01-15T03:30+00:00", "05:00"),  # 04:30
        (["22:00-05:00"], "2024-01-15T12:30+00:00", None),
        (["06:00-07:00", "12:00-13:00"], "2024-01-15T11:30+00:00", "13:00"),
        (["02:30-04:00"], "2024-03-31T01:05+00:00", "04:00"),  # 03:05, the hour after 02:00 does not exist that night
        (["02:30-04:00"], "2024-10-27T00:45+00:00", "04:00"),  # 02:45, the first of two
        (["02:30-04:00"], "2024-10-27T01:15+00:00", None),  # 02:15, the second time
    ],
)
def test_quiet_hours_follow_the_wall_clock(spans: list[str], now: str, until: str | None) -> None:
    limits = Limits(quiet_hours=spans, timezone="Europe/Berlin")
    found = quiet_until(limits, datetime.fromisoformat(now))
    assert (f"{found:%H:%M}" if found else None) == until
    assert found is None or found > datetime.fromisoformat(now)


def test_in_quiet_hours_nothing_is_pulled(tmp_path: Path) -> None:
    pace = Pace(Limits(quiet_hours=["00:00-00:00"]), tmp_path, "x")
    with pytest.raises(ReleaseError, match=r"quiet hours until 00:00 \(UTC\)"):
        pace.check_hours()
    Pace(Limits(), tmp_path, "x").check_hours(datetime.now(UTC))


def test_a_step_is_tried_again_and_given_up(tmp_path: Path) -> None:
    calls: list[float] = []

    def step() -> str:
        calls.append(time.monotonic())
        if len(calls) < 3:
            raise PassingError("failed")
        return "done"

    assert Pace(Limits(attempts=3, backoff_seconds=0.02), tmp_path, "x").patiently(step) == "done"
    calls.clear()
    with pytest.raises(ReleaseError, match=r"archive: failed \(2 attempts\)"):
        Pace(Limits(attempts=2, backoff_seconds=0), tmp_path, "x").patiently(step)


def test_waits_are_doubled_never_equal_and_bounded() -> None:
    pace = Pace(Limits(backoff_seconds=2), Path(), "x")
    waits = [pace.wait_after(n) for n in range(1, 20)]
    assert all(2 ** (n - 1) <= w <= 2**n for n, w in enumerate(waits[:7], 1))
    assert max(waits) <= 300


_HOLD = """
import sys, time
from pathlib import Path
from tasks.archive.pace import Pace
from tasks.archive_spec import Limits
pace = Pace(Limits(concurrent_pulls=1, requests_per_minute=600), Path(sys.argv[1]), "x")
for _ in range(3):
    with pace.pull():
        mark = Path(sys.argv[1], "inside")
        mark.open("x").close()
        time.sleep(0.05)
        mark.unlink()
    pace.request()
    print(time.time())
if sys.argv[2] == "die":
    import os
    with pace.pull():
        os._exit(9)
"""


@pytest.mark.slow
def test_processes_share_the_limits_and_a_dead_one_frees_its_place(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _HOLD, str(tmp_path)]
    workers = [subprocess.Popen([*command, how], stdout=subprocess.PIPE, text=True) for how in ("die", "live", "live")]
    times = sorted(float(line) for worker in workers for line in worker.communicate(timeout=120)[0].split())
    assert [worker.returncode for worker in workers] == [9, 0, 0]
    assert len(times) == 9
    assert times[-1] - times[0] >= 0.1 * 7.5  # 600 a minute, for all of them together


def test_bytes_are_slowed_down(tmp_path: Path) -> None:
    pace = Pace(Limits(megabytes_per_second=10), tmp_path, "x")
    begin = time.monotonic()
    for _ in range(5):
        pace.received(1_000_000)
    assert time.monotonic() - begin >= 0.35


def test_a_clock_that_jumps_back_does_not_stop_us(tmp_path: Path) -> None:
    import struct

    pace = Pace(Limits(requests_per_minute=6000), tmp_path, "x")
    pace.request()
    (tmp_path / "pace-x-requests").write_bytes(struct.pack("<d", time.time() + 86_400))
    begin = time.monotonic()
    pace.request()
    assert time.monotonic() - begin < 1
