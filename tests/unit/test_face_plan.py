"""The decision per series: torsos pass quickly, whatever is not proven to be without a face is held."""

import time
from functools import partial

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian

from tasks.deface import deface_series, doubtful, plan_faces
from tasks.deface.body import Body, find_body, is_torso
from tasks.deface.geometry import has_pixels
from tasks.deface.volume import Volume
from tasks.model import Reason
from tasks.policy.faces import FacePolicy
from tests.phantoms.bodies import ball, chest, leg
from tests.phantoms.detectors import silent
from tests.phantoms.heads import head, turned
from tests.phantoms.limbs import knee
from tests.phantoms.series import instances_of, write_series


@pytest.fixture
def no_detectors(monkeypatch):
    monkeypatch.setenv("SALLYPORT_FACE_JUDGE", "off")


@pytest.mark.parametrize("modality", ["CT", "MR", "PT"])
def test_a_chest_has_no_face(tmp_path, modality):
    values, to_patient = chest("CT" if modality == "CT" else "MR")
    series = write_series(tmp_path, values, to_patient, modality)
    plan = plan_faces([series], FacePolicy())
    outcomes = deface_series(instances_of(series), plan, FacePolicy())
    assert {("no face", None, False)} == {(o.verdict, o.reason, o.face_in_fov) for o in outcomes}


@pytest.mark.slow
def test_a_chest_costs_little(tmp_path):
    values, to_patient = chest(shape=(60, 256, 256))
    series = write_series(tmp_path, values, to_patient, "CT")
    plan_faces([series], FacePolicy())
    started = time.process_time()
    plan_faces([series], FacePolicy())
    assert time.process_time() - started < 1.0


def test_one_level_that_a_head_could_have_is_enough_to_ask_further():
    mask = np.zeros((20, 60, 80), dtype=bool)
    mask[:, 5:55, 5:75] = True
    upright = Volume(mask.astype(np.float32), np.diag([6.0, 6.0, 6.0, 1.0]))
    assert is_torso(Body(upright, mask, 0.5))
    mask[19] = False
    mask[19, 20:45, 25:50] = True
    assert not is_torso(Body(upright, mask, 0.5))


def test_no_tissue_is_no_torso():
    upright = Volume(np.full((10, 10, 10), -1000, dtype=np.float32), np.diag([6.0, 6.0, 6.0, 1.0]))
    assert not is_torso(find_body(upright, is_ct=True))


def test_a_series_that_cannot_be_decoded_is_held(tmp_path):
    values, to_patient = chest(shape=(12, 64, 64))
    series = write_series(tmp_path, values, to_patient, "CT")
    for file in series.files:
        file.file.path.write_bytes(file.file.path.read_bytes()[:-4000])
    plan = plan_faces([series], FacePolicy())
    assert {Reason.FACE_NOT_EXAMINED} == {decision.reason for decision in plan.decisions.values()}


def test_a_series_with_few_planes_is_held_when_nobody_can_look_at_it(tmp_path, no_detectors):
    values, to_patient = chest(shape=(5, 64, 64))
    plan = plan_faces([write_series(tmp_path, values, to_patient, "CT")], FacePolicy())
    assert {Reason.FACE_NOT_ASSESSABLE} == {decision.reason for decision in plan.decisions.values()}


@pytest.mark.slow
@pytest.mark.parametrize(("fires", "verdict", "reason"), [(False, "no face", None), (True, "not assessable", Reason.FACE_NOT_ASSESSABLE)])
@pytest.mark.parametrize("body", [ball, knee])
def test_a_body_that_no_frame_explains_is_what_the_detectors_say(tmp_path, monkeypatch, body, fires, verdict, reason):
    monkeypatch.setattr(doubtful, "detect_faces", partial(silent, fires=fires))
    values, to_patient = body("MR")
    plan = plan_faces([write_series(tmp_path, values, to_patient, "MR")], FacePolicy())
    assert {(verdict, reason)} == {(decision.verdict, decision.reason) for decision in plan.decisions.values()}


@pytest.mark.slow
@pytest.mark.parametrize("body", [leg])
def test_a_body_that_no_frame_explains_is_held_when_nobody_can_look_at_it(tmp_path, no_detectors, body):
    values, to_patient = body("MR")
    plan = plan_faces([write_series(tmp_path, values, to_patient, "MR")], FacePolicy())
    assert {Reason.FACE_NOT_ASSESSABLE} == {decision.reason for decision in plan.decisions.values()}


def test_an_object_that_the_plan_never_saw_is_held(tmp_path):
    values, to_patient = chest(shape=(5, 64, 64))
    series = write_series(tmp_path, values, to_patient, "CT")
    outcomes = deface_series(instances_of(series), plan_faces([], FacePolicy()), FacePolicy())
    assert {Reason.FACE_NOT_EXAMINED} == {o.reason for o in outcomes}


@pytest.mark.slow
def test_a_head_without_its_vault_is_never_passed_on_the_silence_of_detectors(tmp_path, monkeypatch):
    monkeypatch.setattr(doubtful, "detect_faces", silent)
    values, to_patient = head("CT", (4.0, 2.5, 2.5), z_range=(-130.0, -38.0))
    plan = plan_faces([write_series(tmp_path, values, to_patient, "CT")], FacePolicy())
    assert "no face" not in {decision.verdict for decision in plan.decisions.values()}


def test_a_limb_cut_by_the_field_of_view_that_is_longer_than_any_head_is_deep_passes_without_detectors(tmp_path, no_detectors):
    values = np.full((10, 96, 96), 10.0)
    values[:, :, 24:72] = 300
    plan = plan_faces([write_series(tmp_path, values, np.diag([4.0, 4.0, 5.0, 1.0]), "MR")], FacePolicy())
    assert {"no face"} == {decision.verdict for decision in plan.decisions.values()}


@pytest.mark.slow
def test_an_mr_head_without_its_vault_gets_its_frame(tmp_path, no_detectors):
    values, to_patient = head("MR", (4.0, 2.5, 2.5), z_range=(-130.0, -8.0))
    plan = plan_faces([write_series(tmp_path, values, to_patient, "MR")], FacePolicy())
    assert {"defaced"} == {decision.verdict for decision in plan.decisions.values()}


@pytest.mark.slow
def test_a_head_that_its_header_calls_feet_gets_its_frame(tmp_path, no_detectors):
    values, to_patient = head("MR", (4.0, 3.0, 3.0))
    plan = plan_faces([write_series(tmp_path, values, turned("y", 180) @ to_patient, "MR")], FacePolicy())
    assert {"defaced"} == {decision.verdict for decision in plan.decisions.values()}


@pytest.mark.slow
def test_the_lower_half_of_a_face_is_held_whatever_detectors_say(tmp_path, monkeypatch):
    monkeypatch.setattr(doubtful, "detect_faces", silent)
    values, to_patient = head("CT", (3.0, 2.5, 2.5), z_range=(-140.0, -46.0))
    plan = plan_faces([write_series(tmp_path, values, to_patient, "CT")], FacePolicy())
    assert "no face" not in {decision.verdict for decision in plan.decisions.values()}


def test_a_head_with_a_gap_in_it_is_never_passed_on_the_silence_of_detectors(tmp_path, monkeypatch):
    monkeypatch.setattr(doubtful, "detect_faces", silent)
    values, to_patient = head("MR", (4.0, 4.0, 4.0))
    plan = plan_faces([write_series(tmp_path, values, to_patient, "MR", drop=tuple(range(20, 28)))], FacePolicy())
    assert {Reason.FACE_NOT_ASSESSABLE} == {decision.reason for decision in plan.decisions.values()}


def test_an_image_without_pixel_data_shows_nothing_and_holds_nobody(tmp_path, no_detectors):
    values, to_patient = chest(shape=(12, 64, 64))
    series = write_series(tmp_path, values, to_patient, "CT")
    bare = series.files[3].file.path
    header = dcmread(bare)
    del header.PixelData
    header.save_as(bare)
    plan = plan_faces([series], FacePolicy())
    assert {("no face", None), ("not applicable", None)} == {(d.verdict, d.reason) for d in plan.decisions.values()}
    assert plan.decisions[bare].verdict == "not applicable"


def test_pixel_data_in_a_deflated_file_is_seen(tmp_path):
    values, to_patient = chest(shape=(1, 64, 64))
    path = write_series(tmp_path, values, to_patient, "CT").files[0].file.path
    assert has_pixels(path)
    dataset = dcmread(path)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.save_as(path)
    assert has_pixels(path)
