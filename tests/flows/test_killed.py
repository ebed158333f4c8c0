"""kill -9 of the whole process group at any moment: the last committed release stays green, the next run completes it."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.sample import PATIENTS, make_archive
from tests.flows.sallyport import environment, sallyport

MOMENTS = 10


@pytest.mark.slow
@pytest.mark.timeout(1500)  # a dozen whole runs: seven minutes of a busy machine
def test_a_killed_run_is_simply_run_again(write_spec: Callable[..., Path], tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "archive", PATIENTS[1:3]).folder
    spec = write_spec(archive, workers=2)
    started = time.monotonic()
    first = sallyport("release", spec, "--json")
    length = time.monotonic() - started
    assert first.code == 0, first.err
    public = tmp_path / "work" / "public"
    chance = random.Random(20261121)
    for number in range(MOMENTS):
        if number % 3 == 0:  # new work for the runs that follow
            make_archive(archive / f"night {number}", PATIENTS[5 + number : 6 + number])
        run = subprocess.Popen(
            [sys.executable, "-m", "flows", "release", str(spec), "--json"],
            env=environment(),
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(chance.uniform(0.2, 0.9) * length)
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        checked = sallyport("verify", public, "--full", "--json")
        assert checked.code == 0, checked.out + checked.err
    last = sallyport("release", spec, "--json")
    assert last.code == 0, last.err
    assert sum(last.data["objects_by_status"].values()) == len([p for p in archive.rglob("*") if p.is_file()])
    assert sallyport("verify", public, "--full").code == 0
    assert sallyport("release", spec, "--json").data["pulled"] == 0


@pytest.mark.slow
def test_a_run_that_is_told_to_end_says_so_in_one_line_and_leaves_nothing_behind(write_spec: Callable[..., Path], tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "archive", PATIENTS[1:5]).folder
    spec = write_spec(archive, workers=1)
    command = [sys.executable, "-m", "flows", "release", str(spec), "--json"]
    run = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    scratch = tmp_path / "work" / "private" / "scratch"
    while not any(scratch.glob("study-*")):  # a worker is at work
        assert run.poll() is None
        time.sleep(0.05)
    run.send_signal(signal.SIGTERM)
    out, err = run.communicate(timeout=120)
    said = "release: ended by SIGTERM; what was done is kept: run it again"
    assert (run.returncode, json.loads(out), err) == (143, {"error": said, "exit_code": 143}, f"sallyport: {said}\n")
    assert not any(scratch.iterdir())
    assert sallyport("release", spec, "--json").code == 0
