"""Heads in the shapes in which archives hold them, each to its right end; all shapes are in tests/bench/face_shapes.py."""

import pytest

from tasks.deface import plan_faces
from tasks.model import Reason
from tasks.policy.faces import FacePolicy
from tests.bench.face_shapes import verdicts
from tests.phantoms.bodies import chest
from tests.phantoms.series import write_series
from tests.phantoms.shapes import DEFACED, HELD, SHAPES


@pytest.fixture(autouse=True)
def no_detectors(monkeypatch):
    monkeypatch.setenv("SALLYPORT_FACE_JUDGE", "off")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["MR sagittal", "MR oblique", "CT gantry tilt", "enhanced MR", "uneven gaps"])
def test_a_head_is_defaced_however_its_planes_lie(tmp_path, name):
    (tmp_path / "out").mkdir()
    assert verdicts(SHAPES[name][0](tmp_path / "in"), tmp_path / "out") == [DEFACED]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["projections beside a head", "capture beside a head"])
def test_what_shows_the_face_again_and_cannot_be_cut_is_held(tmp_path, name):
    (tmp_path / "out").mkdir()
    assert verdicts(SHAPES[name][0](tmp_path / "in"), tmp_path / "out") == [DEFACED, HELD]


@pytest.mark.slow
def test_a_plane_through_the_face_beside_a_head_is_never_passed_as_it_is(tmp_path):
    study = SHAPES["localizer beside a head"][0](tmp_path)
    plan = plan_faces(study, FacePolicy())
    sagittal = study[1].files[1].file.path
    assert plan.decisions[sagittal].verdict != "no face"


@pytest.mark.slow
def test_a_nose_that_wraps_around_holds_the_series(tmp_path):
    (series,) = SHAPES["MR wrap-around nose"][0](tmp_path)
    plan = plan_faces([series], FacePolicy())
    assert {Reason.FACE_NOT_ASSESSABLE} == {decision.reason for decision in plan.decisions.values()}


@pytest.mark.slow
def test_projections_without_a_volume_that_clears_them_are_held(tmp_path):
    _, projections = SHAPES["projections beside a head"][0](tmp_path)
    plan = plan_faces([projections], FacePolicy())
    assert {Reason.FACE_NOT_ASSESSABLE} == {plan.decisions[file.file.path].reason for file in projections.files}


@pytest.mark.slow
def test_projections_of_a_body_without_a_face_pass(tmp_path):
    _, projections = SHAPES["projections beside a head"][0](tmp_path / "mip")
    body = write_series(tmp_path / "chest", *chest("MR"), "MR", name="chest")
    plan = plan_faces([body, projections], FacePolicy())
    assert {None} == {plan.decisions[file.file.path].reason for file in projections.files}
