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
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False, env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.mark.slow
def test_killed_before_and_after_every_fifth_write_a_reader_sees_the_old_release_or_the_new_one(tmp_path):
    outcome = drive("crash", str(tmp_path), "", "5")
    assert outcome["failures"] == []
    assert outcome["kills"] == 2 * len(range(1, outcome["writes"] + 1, 5))
    assert outcome["writes"] > 25


@pytest.mark.exhaustive
def test_killed_before_and_after_every_write(tmp_path):
    outcome = drive("crash", str(tmp_path))
    assert outcome["failures"] == []
    assert outcome["kills"] == 2 * outcome["writes"]


@pytest.mark.servers
@pytest.mark.exhaustive
def test_killed_before_and_after_every_write_on_radosgw(tmp_path, radosgw):
    outcome = drive("crash", str(tmp_path), radosgw.bucket("crash"), **radosgw.environment("test"))
    assert outcome["failures"] == []
    assert outcome["kills"] == 2 * outcome["writes"]


@pytest.mark.slow
def test_of_two_racing_publishers_exactly_one_wins_each_entry(tmp_path):
    assert drive("race", str(tmp_path), "6") == {"rounds": 6, "failures": []}


@pytest.mark.exhaustive
def test_of_two_publishers_racing_fifty_times_exactly_one_wins_each_entry(tmp_path):
    assert drive("race", str(tmp_path), "50") == {"rounds": 50, "failures": []}


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
