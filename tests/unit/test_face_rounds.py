"""Where a detector still fires on a defaced head, another surface is laid and judged again; what still fires, or fails, is held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from tasks import deface
from tasks.deface import judge, plan_faces
from tasks.deface.detectors import Detections
from tasks.deface.region import SURFACES
from tasks.face_rounds import FaceRounds, deface_until_clear
from tasks.model import Reason
from tasks.policy.faces import FacePolicy
from tests.phantoms.detectors import silent
from tests.phantoms.heads import head
from tests.phantoms.series import instances_of, write_outcomes, write_series

POLICY = FacePolicy()
PICTURES = 21  # of one head


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory):
    """An MR head and its plan."""
    values, to_patient = head("MR", (4.0, 2.5, 2.5))
    series = write_series(tmp_path_factory.mktemp("head"), values, to_patient, "MR", name="rounds")
    return series, plan_faces([series], POLICY)


def detectors(monkeypatch: pytest.MonkeyPatch, fires_in: Sequence[Sequence[int]]) -> list[int]:
    """Detectors that see every original, and in each round one of them the given pictures of the result; counts the rounds."""
    asked: list[int] = []

    def detect(pictures: Sequence[object], portraits: Sequence[object], *_: object) -> Detections:
        after = [PICTURES + n for n in fires_in[len(asked)]]
        asked.append(len(pictures))
        seen = silent(pictures, portraits)
        originals = tuple(n < PICTURES for n in range(len(pictures)))
        one = tuple(n < PICTURES or n in after for n in range(len(pictures)))
        far = tuple(np.full(128, n >= len(portraits) // 2, dtype=float) for n in range(len(portraits)))
        return replace(seen, fired={**dict.fromkeys(seen.fired, originals), "dlib_hog": one}, embeddings=far)

    monkeypatch.setattr(judge, "detect_faces", detect)
    return asked


def rounds_of(bare, folder: Path, policy: FacePolicy = POLICY) -> tuple[FaceRounds, list[Path]]:
    series, plan = bare
    ended = deface_until_clear(instances_of(series), plan, policy, partial(write_outcomes, folder=folder))
    return ended, sorted(folder.iterdir())


def pixels(paths: Sequence[Path]) -> np.ndarray:
    return np.stack([dcmread(path).pixel_array for path in paths]).astype(int)


@pytest.mark.slow
def test_a_head_on_which_nothing_fires_is_defaced_once(bare, tmp_path, monkeypatch):
    asked = detectors(monkeypatch, [()])
    ended, _ = rounds_of(bare, tmp_path / "out")
    assert ({("defaced", None)}, 1, 1) == ({(o.verdict, o.reason) for o in ended.judged}, ended.rounds, len(asked))


@pytest.mark.slow
def test_one_firing_of_one_detector_lays_another_surface_into_the_same_mask(bare, tmp_path, monkeypatch):
    detectors(monkeypatch, [(17,), ()])
    ended, paths = rounds_of(bare, tmp_path / "again")
    assert {("defaced", None, "sallyport-replace 3")} == {(o.verdict, o.reason, o.method) for o in ended.judged}
    assert (2, {"F2.detector"}) == (ended.rounds, {f.rule for o in ended.judged for f in o.findings})  # what the first round showed is told
    detectors(monkeypatch, [()])
    _, first = rounds_of(bare, tmp_path / "first")
    series, _ = bare
    source, once, twice = pixels([f.file.path for f in series.files]), pixels(first), pixels(paths)
    threshold = 60
    assert ((twice > threshold) & (once < threshold)).sum() > 20 * ((twice < threshold) & (once > threshold)).sum()  # fuller
    untouched = np.stack([i.dataset.pixel_array for i in instances_of(series)]) == once
    assert (source != twice)[untouched].mean() < 0.001  # the same mask: what one surface leaves, the other leaves too
    written = {o.instance.source.path: path for o, path in zip(ended.written, paths, strict=True)}
    assert all(o.instance.dataset.PixelData == dcmread(written[o.instance.source.path]).PixelData for o in ended.judged)


@pytest.mark.slow
def test_two_runs_of_two_rounds_give_the_same_bytes_and_a_second_pass_changes_nothing(bare, tmp_path, monkeypatch):
    runs = []
    for name in ("one", "two"):
        detectors(monkeypatch, [(3,), ()])
        runs.append(rounds_of(bare, tmp_path / name)[1])
    assert [path.read_bytes() for path in runs[0]] == [path.read_bytes() for path in runs[1]]
    series, _ = bare
    files = tuple(replace(f, file=replace(f.file, path=p)) for f, p in zip(series.files, runs[0], strict=True))
    released = replace(series, files=files)
    again = deface.deface_series(instances_of(released), plan_faces([released], POLICY), POLICY)
    assert {("already defaced", None, "")} == {(o.verdict, o.reason, o.method) for o in again}
    assert [o.instance.dataset.PixelData for o in again] == [dcmread(path).PixelData for path in runs[0]]


@pytest.mark.slow
def test_the_last_surface_is_tried_too(bare, tmp_path, monkeypatch):
    asked = detectors(monkeypatch, [(17,), (0, 3), ()])
    ended, _ = rounds_of(bare, tmp_path / "out")
    assert ({("defaced", None)}, 3, 3) == ({(o.verdict, o.reason) for o in ended.judged}, ended.rounds, len(asked))


@pytest.mark.slow
def test_a_head_on_which_a_detector_fires_in_every_round_is_held(bare, tmp_path, monkeypatch):
    asked = detectors(monkeypatch, [(17,)] * len(SURFACES))
    ended, _ = rounds_of(bare, tmp_path / "out")
    assert {("face left", Reason.FACE_LEFT)} == {(o.verdict, o.reason) for o in ended.judged}
    assert len(asked) == ended.rounds == len(SURFACES)


@pytest.mark.slow
@pytest.mark.parametrize("broken", ["deface_series", "judge_series"])
def test_a_second_round_that_fails_holds_the_series(bare, tmp_path, monkeypatch, broken):
    detectors(monkeypatch, [(17,), ()])
    works, calls = getattr(deface, broken), []

    def fail_the_second_time(*given: object, **named: object):
        calls.append(1)
        if len(calls) == 2:
            raise ValueError("no")
        return works(*given, **named)

    monkeypatch.setattr(deface, broken, fail_the_second_time)
    ended, _ = rounds_of(bare, tmp_path / "out")
    assert (2, {Reason.FACE_NOT_EXAMINED}) == (len(calls), {o.reason for o in ended.judged})


@pytest.mark.slow
def test_a_second_round_that_is_not_done_in_time_is_machine_trouble_and_nothing_passes(bare, tmp_path, monkeypatch):
    detectors(monkeypatch, [(17,)])
    first = judge.detect_faces

    def then_late(*given: object, **named: object) -> Detections:
        monkeypatch.setattr(judge, "detect_faces", partial(late))
        return first(*given, **named)

    def late(*_: object, **__: object) -> Detections:
        raise TimeoutError("the face judge was not done in time")

    monkeypatch.setattr(judge, "detect_faces", then_late)
    with pytest.raises(TimeoutError):
        rounds_of(bare, tmp_path / "out")


@pytest.mark.slow
def test_what_lays_no_surface_has_no_second_round(bare, tmp_path, monkeypatch):
    detectors(monkeypatch, [(17,), ()])
    ended, _ = rounds_of(bare, tmp_path / "out", FacePolicy(action="remove"))
    assert ({Reason.FACE_LEFT}, 1) == ({o.reason for o in ended.judged}, ended.rounds)
