"""A publisher that is killed anywhere, or races another, never shows a consumer anything but a whole release."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tasks.publish.release import publish_candidate
from tasks.publish.store import open_store
from tasks.publish.verify import verify
from tests.publish.corpus import DAY, Shape, approve, frozen
from tests.publish.test_release_protocol import SIGNER, published

ROOT = Path(__file__).resolve().parents[2]


def drive(*arguments: str, **environment: str) -> dict:
    command = [sys.executable, "-m", "tests.publish.crash_driver", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=3600, check=False, env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def whole(outcome: dict, every: int = 1, *, folder: bool = True) -> bool:
    """Say whether the chosen writes were all killed, before and after (and in the middle, where bytes go into a file).

    In a folder, dying after a write is dying before the next: that is done once.
    """
    chosen = len(range(1, outcome["writes"] + 1, every))
    moments = chosen + 1 if folder and every == 1 else 2 * chosen
    middle = outcome["kills"] + outcome["unreached"] - moments
    if outcome["unreached"] > outcome["writes"] // 50:
        return False
    return middle == outcome["torn"] if every == 1 else 0 <= middle <= outcome["torn"]


@pytest.mark.slow
def test_killed_before_within_and_after_every_seventeenth_write_a_reader_sees_the_old_release_or_the_new_one(tmp_path):
    outcome = drive("publish", str(tmp_path), "--every", "17")
    assert outcome["failures"] == []
    assert whole(outcome, 17)
    assert outcome["writes"] > 100


@pytest.mark.exhaustive
@pytest.mark.parametrize("what", ["publish", "retire", "withdraw"])
def test_killed_before_within_and_after_every_write_to_a_folder(tmp_path, what):
    outcome = drive(what, str(tmp_path))
    assert outcome["failures"] == []
    assert whole(outcome)


@pytest.mark.servers
@pytest.mark.exhaustive
@pytest.mark.parametrize("what", ["publish", "retire", "withdraw"])
def test_killed_before_and_after_every_write_to_radosgw(tmp_path, radosgw, what):
    outcome = drive(what, str(tmp_path), "--s3", radosgw.bucket(f"crash-{what}"), **radosgw.environment("test"))
    assert outcome["failures"] == []
    assert whole(outcome, folder=False)


@pytest.mark.slow
def test_of_two_racing_publishers_exactly_one_wins_each_entry(tmp_path):
    assert drive("race", str(tmp_path), "--rounds", "6") == {"rounds": 6, "failures": []}


@pytest.mark.exhaustive
def test_of_two_publishers_racing_fifty_times_exactly_one_wins_each_entry(tmp_path):
    assert drive("race", str(tmp_path), "--rounds", "50") == {"rounds": 50, "failures": []}


@pytest.mark.servers
@pytest.mark.exhaustive
def test_of_two_publishers_racing_fifty_times_on_radosgw_exactly_one_wins_each_entry(tmp_path, radosgw):
    store = radosgw.bucket("race")
    assert drive("race", str(tmp_path), "--rounds", "50", "--s3", store, **radosgw.environment("test")) == {"rounds": 50, "failures": []}


@pytest.mark.slow
def test_a_polling_consumer_never_fails_while_releases_are_published(tmp_path):
    private, public, _, _ = published(tmp_path)
    stop, reports = threading.Event(), []

    def poll() -> None:
        while not stop.is_set():
            reports.append(verify(open_store(public.url), full=True, state=tmp_path / "seen.json", today=DAY))

    poller = threading.Thread(target=poll)
    poller.start()
    for patients in (4, 5, 6):
        candidate = frozen(private, Shape(patients=patients, revision=patients))
        publish_candidate(private, public, candidate, *approve(candidate), SIGNER, DAY)
    stop.set()
    poller.join()
    assert [r.problems for r in reports if not r.ok] == []
    assert len(reports) > 1
