"""Defacing leaves what lies deep in a head as it was; a change there is noticed by voxels alone (U5)."""

from __future__ import annotations

import pytest
from pydicom import dcmread, dcmwrite

from tasks.deface import deface_series, plan_faces
from tasks.policy.faces import FacePolicy
from tasks.utility import changes_deep_inside
from tasks.utility.deep import LARGEST_SHARE, deep_share_changed
from tests.phantoms.heads import head
from tests.phantoms.series import instances_of, write_series


@pytest.fixture(scope="module", params=["CT", "MR"])
def series(request, tmp_path_factory):
    values, to_patient = head(request.param, (4.0, 2.5, 2.5))
    return request.param, write_series(tmp_path_factory.mktemp("head"), values, to_patient, request.param, name="bare")


def _copies(paths, folder, change):
    """Copy the series with `change(pixels, number, count)` done to every slice; return copies by source."""
    folder.mkdir()
    pairs = {}
    for number, path in enumerate(paths):
        dataset = dcmread(path)
        pixels = dataset.pixel_array.copy()
        change(pixels, number, len(paths))
        dataset.PixelData = pixels.tobytes()
        pairs[path] = folder / path.name
        dataset.save_as(pairs[path])
    return pairs


@pytest.mark.slow
def test_a_defaced_head_kept_its_depth(series, tmp_path, monkeypatch):
    monkeypatch.setenv("SALLYPORT_FACE_JUDGE", "off")
    modality, files = series
    outcomes = deface_series(instances_of(files), plan_faces([files], FacePolicy()), FacePolicy())
    assert {o.verdict for o in outcomes} == {"defaced"}
    pairs = {}
    for number, outcome in enumerate(outcomes):
        pairs[outcome.instance.source.path] = tmp_path / f"{number}.dcm"
        dcmwrite(tmp_path / f"{number}.dcm", outcome.instance.dataset)
    assert 0 <= deep_share_changed(pairs, modality == "CT") < LARGEST_SHARE / 2
    assert changes_deep_inside(pairs, modality == "CT", ["1.2"]) == []


def test_a_hole_in_the_brain_is_noticed(series, tmp_path):
    modality, files = series

    def blank(pixels, number, count):
        if abs(number - count * 0.7) < 3:
            pixels[pixels.shape[0] // 2 - 8 : pixels.shape[0] // 2 + 8, pixels.shape[1] // 2 - 8 : pixels.shape[1] // 2 + 8] = 0

    pairs = _copies([f.file.path for f in files.files], tmp_path / "holes", blank)
    found = changes_deep_inside(pairs, modality == "CT", ["1.2", "1.3"])
    assert [(f.rule, f.sop_instance_uid, f.score) for f in found] == [("U5.deep", "1.2", 0.8), ("U5.deep", "1.3", 0.8)]


def test_a_series_without_depth_says_nothing(series, tmp_path):
    modality, files = series
    pairs = _copies([f.file.path for f in files.files][:4], tmp_path / "few", lambda pixels, *_: pixels.fill(0))
    assert deep_share_changed(pairs, modality == "CT") is None
    assert changes_deep_inside({}, True, []) == []
