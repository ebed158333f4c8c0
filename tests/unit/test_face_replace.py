"""A head goes in, nobody comes out: what the face stage promises of voxels, on phantoms made by code."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from pydicom import dcmread
from scipy import ndimage

from tasks.deface import deface_series, judge, judge_series, plan_faces
from tasks.deface.detectors import LIMITS, Detections
from tasks.deface.relief import RELIEF_LIMIT_MM
from tasks.model import Reason
from tasks.policy.faces import FacePolicy
from tests.phantoms.detectors import silent
from tests.phantoms.heads import Skull, brain, head, person, turned
from tests.phantoms.series import instances_of, write_outcomes, write_series

POLICY = FacePolicy()


@pytest.fixture(autouse=True)
def no_detectors(monkeypatch):
    monkeypatch.setenv("SALLYPORT_FACE_JUDGE", "off")


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """An MR head, its plan, the instances that came and the outcomes that left."""
    values, to_patient = head("MR", (4.0, 2.5, 2.5))
    series = write_series(tmp_path_factory.mktemp("head"), values, to_patient, "MR", name="bare")
    plan = plan_faces([series], POLICY)
    instances = instances_of(series)
    return series, plan, instances, deface_series(instances, plan, POLICY), to_patient


def volumes(series, instances, outcomes):
    before = np.stack([i.dataset.pixel_array for i in instances]).astype(int)
    after = np.stack([o.instance.dataset.pixel_array for o in outcomes]).astype(int)
    return before, after


def test_every_object_of_a_head_is_declared_defaced_with_its_method(bare):
    *_, outcomes, _ = bare
    assert {("defaced", None, True, "sallyport-replace 3")} == {(o.verdict, o.reason, o.face_in_fov, o.method) for o in outcomes}


def test_the_nose_is_gone_and_the_brain_is_not_touched(bare):
    series, _plan, instances, outcomes, to_patient = bare
    before, after = volumes(series, instances, outcomes)
    assert (before != after)[brain(spacing=(4.0, 2.5, 2.5))].sum() == 0
    z, y, x = np.meshgrid(*(np.arange(n) for n in before.shape), indexing="ij")
    patient = to_patient @ np.stack([x.ravel(), y.ravel(), z.ravel(), np.ones(x.size)])
    px, py, pz = (patient[n].reshape(x.shape) for n in range(3))
    nose = (np.abs(px) < 4) & (np.abs(py + 112) < 3) & (np.abs(pz + 69) < 4)
    assert np.median(before[nose]) > 100 > 60 > np.median(after[nose])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("modality", "skull", "scan"),
    [
        ("MR", Skull(frontal=9, orbital=9, temporal=9), {}),
        ("CT", Skull(frontal=9, orbital=9, temporal=9), {}),
        ("MR", Skull(frontal=6, orbital=6, temporal=6), {"scale": 0.8}),
        ("MR", Skull(wide=0.94, long=1.07), {"pose": turned("z", 30), "y_range": (-150, 130), "half_width": 130}),
    ],
    ids=["MR", "CT", "child", "turned"],
)
def test_a_brain_that_is_not_the_average_one_is_not_touched_and_has_a_margin(tmp_path, modality, skull, scan):
    spacing = (4.0, 2.5, 2.5)
    series = write_series(tmp_path, *head(modality, spacing, skull=skull, **scan), modality)
    instances = instances_of(series)
    outcomes = deface_series(instances, plan_faces([series], POLICY), POLICY)
    before, after = volumes(series, instances, outcomes)
    apart = ndimage.distance_transform_edt(~brain(skull, spacing=spacing, **scan), sampling=spacing)
    assert {"defaced"} == {outcome.verdict for outcome in outcomes}
    assert apart[before != after].min() > 3.0


def test_nothing_outside_the_region_changes(bare):
    series, _plan, instances, outcomes, to_patient = bare
    before, after = volumes(series, instances, outcomes)
    back = np.argwhere(before != after) @ np.diag([4.0, 2.5, 2.5]) + to_patient[:3, 3][::-1]
    assert back[:, 1].max() < 45  # behind the ears
    assert back[:, 0].max() < 12  # above the brow
    for instance, outcome in zip(instances, outcomes, strict=True):
        assert {e.tag for e in instance.dataset} == {e.tag for e in outcome.instance.dataset}
        assert all(e == outcome.instance.dataset[e.tag] for e in instance.dataset if e.tag != 0x7FE00010)


@pytest.mark.slow
def test_two_runs_give_the_same_bytes(bare):
    series, _plan, _instances, outcomes, _ = bare
    again = deface_series(instances_of(series), plan_faces([series], POLICY), POLICY)
    assert [o.instance.dataset.PixelData for o in outcomes] == [o.instance.dataset.PixelData for o in again]


def test_the_given_instances_keep_their_pixels(bare):
    series, _plan, instances, _outcomes, _ = bare
    assert all(i.dataset.PixelData == dcmread(f.file.path).PixelData for i, f in zip(instances, series.files, strict=True))


@pytest.mark.slow
def test_a_second_pass_changes_nothing(bare, tmp_path):
    series, _plan, _instances, outcomes, _ = bare
    paths = write_outcomes(outcomes, tmp_path / "out")
    files = tuple(replace(f, file=replace(f.file, path=p)) for f, p in zip(series.files, paths, strict=True))
    second = replace(series, files=files)
    again = deface_series(instances_of(second), plan_faces([second], POLICY), POLICY)
    assert {("already defaced", None, "")} == {(o.verdict, o.reason, o.method) for o in again}
    assert [o.instance.dataset.PixelData for o in outcomes] == [o.instance.dataset.PixelData for o in again]


@pytest.mark.slow
def test_the_judge_confirms_by_relief_and_says_that_detectors_did_not_look(bare, tmp_path):
    *_, plan, _instances, outcomes, _ = bare
    judged = judge_series(write_outcomes(outcomes, tmp_path / "out"), outcomes, plan, POLICY)
    assert {("defaced", None)} == {(o.verdict, o.reason) for o in judged}
    assert {"F0.detectors-not-run"} == {f.rule for o in judged for f in o.findings}


@pytest.mark.slow
def test_installed_detectors_that_give_no_answer_withdraw_the_claim(bare, tmp_path, monkeypatch):
    *_, plan, _instances, outcomes, _ = bare
    monkeypatch.setenv("SALLYPORT_FACE_JUDGE", "/bin/false")
    judged = judge_series(write_outcomes(outcomes, tmp_path / "out"), outcomes, plan, POLICY)
    assert {("not assessable", Reason.FACE_NOT_EXAMINED)} == {(o.verdict, o.reason) for o in judged}


def test_the_judge_withdraws_the_claim_when_the_face_is_still_there(bare, tmp_path):
    *_, plan, instances, outcomes, _ = bare
    untouched = [replace(o, instance=i) for o, i in zip(outcomes, instances, strict=True)]
    judged = judge_series(write_outcomes(untouched, tmp_path / "out"), untouched, plan, POLICY)
    assert {("face left", Reason.FACE_LEFT)} == {(o.verdict, o.reason) for o in judged}


@pytest.mark.slow
@pytest.mark.parametrize(("fires", "reason"), [(True, Reason.FACE_LEFT), (False, Reason.FACE_NOT_ASSESSABLE)])
def test_detectors_that_fire_or_were_blind_withdraw_the_claim(bare, tmp_path, monkeypatch, fires, reason):
    *_, plan, _instances, outcomes, _ = bare
    monkeypatch.setattr(judge, "detect_faces", partial(silent, fires=fires))
    judged = judge_series(write_outcomes(outcomes, tmp_path / "out"), outcomes, plan, POLICY)
    assert {reason} == {o.reason for o in judged}


def first_third(far, pictures, portraits=(), box=(), limits=None):
    """Fires on the originals only; the recogniser puts every result `far` from its original."""
    hits = tuple(n < 21 for n in range(len(pictures)))
    embeddings = tuple(np.full(128, far / np.sqrt(128) * (n >= len(portraits) // 2)) for n in range(len(portraits)))
    return Detections(dict.fromkeys(LIMITS, hits), {}, embeddings)


@pytest.mark.slow
@pytest.mark.parametrize("installed", [True, False])
def test_a_face_whose_relief_cannot_be_measured_afterwards_is_held_where_no_detector_saw_it_before(bare, tmp_path, monkeypatch, installed):
    *_, plan, _instances, outcomes, _ = bare
    monkeypatch.setattr(judge, "detect_faces", silent if installed else lambda *_: None)
    monkeypatch.setattr(judge, "judge_interpreter", lambda: None)
    monkeypatch.setattr(judge, "WHOLE_FACE", 2.0)
    paths = write_outcomes(outcomes, tmp_path / "out")
    assert {None} == {o.reason for o in judge_series(paths, outcomes, plan, POLICY)}  # measured, and smooth
    monkeypatch.setattr(judge, "_worst_relief", lambda *_, **__: None)
    assert {Reason.FACE_NOT_ASSESSABLE} == {o.reason for o in judge_series(paths, outcomes, plan, POLICY)}


@pytest.mark.slow
def test_detectors_that_fired_before_and_not_after_confirm_the_claim(bare, tmp_path, monkeypatch):
    *_, plan, _instances, outcomes, _ = bare
    monkeypatch.setattr(judge, "detect_faces", partial(first_third, 0.6))
    judged = judge_series(write_outcomes(outcomes, tmp_path / "out"), outcomes, plan, POLICY)
    assert {("defaced", None, ())} == {(o.verdict, o.reason, o.findings) for o in judged}


@pytest.mark.slow
def test_a_recogniser_that_still_knows_the_face_withdraws_the_claim(bare, tmp_path, monkeypatch):
    *_, plan, _instances, outcomes, _ = bare
    monkeypatch.setattr(judge, "detect_faces", partial(first_third, 0.3))
    judged = judge_series(write_outcomes(outcomes, tmp_path / "out"), outcomes, plan, POLICY)
    assert {("face left", Reason.FACE_LEFT)} == {(o.verdict, o.reason) for o in judged}
    assert {"F5.recognised"} == {f.rule for o in judged for f in o.findings}


def test_objects_that_went_missing_before_the_judge_hold_the_series(bare, tmp_path):
    *_, plan, _instances, outcomes, _ = bare
    paths = write_outcomes(outcomes, tmp_path / "out")
    judged = judge_series(paths[:-3], outcomes, plan, POLICY)
    assert {Reason.FACE_NOT_ASSESSABLE} == {o.reason for o in judged}


def test_pixels_that_cannot_be_overwritten_hold_the_whole_series(bare):
    _series, plan, instances, _outcomes, _ = bare
    broken = list(instances)
    broken[20].dataset.BitsAllocated, kept = 12, broken[20].dataset.BitsAllocated
    judged = deface_series(broken, plan, POLICY)
    broken[20].dataset.BitsAllocated = kept
    assert {Reason.FACE_NOT_ASSESSABLE} == {o.reason for o in judged}


def test_remove_leaves_air_where_the_face_was_and_the_same_voxels_elsewhere(bare):
    series, plan, instances, outcomes, to_patient = bare
    removed = deface_series(instances, plan, FacePolicy(action="remove"))
    assert {("defaced", "sallyport-remove 3")} == {(o.verdict, o.method) for o in removed}
    before, after = volumes(series, instances, removed)
    _, replaced = volumes(series, instances, outcomes)
    changed = before != after
    assert np.percentile(after[changed], 99) < 60 < np.percentile(replaced[before != replaced], 90)
    where = np.argwhere(changed) @ np.diag([4.0, 2.5, 2.5]) + to_patient[:3, 3][::-1]
    assert where[:, 1].max() < 45  # behind the ears
    assert where[:, 0].max() < 12  # above the brow


@pytest.mark.slow
def test_brain_leaves_the_brain_and_air_around_it_and_nothing_of_a_face(bare, tmp_path):
    series, _plan, instances, _outcomes, _to_patient = bare
    policy = FacePolicy(action="brain")
    plan = plan_faces([series], policy)
    left = deface_series(instances, plan, policy)
    assert {("defaced", None, "sallyport-brain 3")} == {(o.verdict, o.reason, o.method) for o in left}
    before, after = volumes(series, instances, left)
    spacing = (4.0, 2.5, 2.5)
    depth = ndimage.distance_transform_edt(~brain(spacing=spacing), sampling=spacing)  # millimetres outside the brain
    assert (before != after)[depth < 4].sum() == 0
    assert np.percentile(after[(depth > 24) & (before > 100)], 99) < 60
    assert {("defaced", None)} == {(o.verdict, o.reason) for o in judge_series(write_outcomes(left, tmp_path / "out"), left, plan, policy)}


@pytest.mark.slow
def test_a_second_pass_over_a_brain_alone_changes_nothing(bare, tmp_path):
    series, *_ = bare
    policy = FacePolicy(action="brain")
    left = deface_series(instances_of(series), plan_faces([series], policy), policy)
    files = tuple(
        replace(f, file=replace(f.file, path=p)) for f, p in zip(series.files, write_outcomes(left, tmp_path / "out"), strict=True)
    )
    second = replace(series, files=files)
    again = deface_series(instances_of(second), plan_faces([second], policy), policy)
    assert {("already defaced", None, "")} == {(o.verdict, o.reason, o.method) for o in again}


@pytest.mark.slow
@pytest.mark.parametrize("action", ["quarantine", "keep"])
def test_other_actions_change_no_voxel(bare, action):
    series, *_ = bare
    policy = FacePolicy(action=action, keep_reason="orbit study" if action == "keep" else "")
    outcomes = deface_series(instances_of(series), plan_faces([series], policy), policy)
    assert {("face left", Reason.FACE_LEFT if action == "quarantine" else None, True)} == {
        (o.verdict, o.reason, o.face_in_fov) for o in outcomes
    }


def test_the_relief_limit_lies_between_faces_and_what_is_left():
    assert RELIEF_LIMIT_MM == 1.5
    assert person(1) != person(2)
