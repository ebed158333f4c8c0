"""The face table in small: one head and two bodies, every number within its promise."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from tasks.deface.detectors import judge_interpreter
from tests.bench.faces import measure, phantoms


@pytest.mark.bench
def test_a_head_is_replaced_within_every_limit(tmp_path):
    ((name, series, known),) = phantoms(tmp_path, ["MR head"])
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:  # its memory is measured, not what earlier tests left in ours
        row = pool.submit(measure, name, series, tmp_path / "out", known).result()
    assert (row.verdict, row.reason) == ("defaced", "")
    assert row.relief_after < 1.5 < 3 < row.relief_before
    assert (row.brain_changed, row.outside_changed) == (0, 0)
    assert (row.rounds, row.second_pass) == (1, "no-op")
    assert row.identical
    assert row.plan_s < 10 and row.judge_s < 20 and row.memory_mb < 1500
    if judge_interpreter() is not None:
        before, after, *_ = row.detected.split("/")
        assert int(before) > 10 and int(after) == 0
        assert row.control == "0/21"
        held, tried = row.wrong_frames.split("/")
        assert held == tried


@pytest.mark.bench
def test_a_chest_is_untouched_and_cheap(tmp_path):
    ((name, series, _),) = phantoms(tmp_path, ["chest CT"])
    row = measure(name, series, tmp_path / "out")
    assert (row.verdict, row.reason, row.second_pass) == ("no face", "", "no-op")
    assert row.plan_s < 1
