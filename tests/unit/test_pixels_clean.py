"""The text stage keeps its promises: what shows text is blanked, what cannot be examined never passes."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.errors import ReleaseError
from tasks.model import Reason
from tasks.pixels import clean_text, look_again, start_engine
from tasks.pixels import engine as engine_module
from tasks.pixels import network as network_module
from tasks.policy.pixels import PixelPolicy
from tests.unit.pixels_objects import draw, instance_of, noise

POLICY = PixelPolicy()


@pytest.fixture(autouse=True, scope="module")
def _engine():
    start_engine()


def test_text_on_an_ultrasound_frame_is_blanked_and_the_rest_stays_equal():
    clean = noise(300, 400)
    frame, ink = draw(clean, "DOE^JANE 1961", (40, 60))
    (outcome,) = clean_text([instance_of(frame, modality="US")], POLICY, frozenset({"DOE^JANE"}))
    after = outcome.instance.dataset.pixel_array
    assert outcome.reason is None and outcome.examined and outcome.blanked_regions >= 1
    assert len(np.unique(after[ink])) == 1
    changed = after != frame
    assert changed.mean() < 0.1 and np.array_equal(after[~changed], frame[~changed])
    assert any(f.kind == "patient_value" for f in outcome.findings)
    assert not any("DOE" in repr(f) for f in outcome.findings)


def test_a_clean_frame_passes_untouched():
    (outcome,) = clean_text([instance_of(noise(300, 400), modality="US")], POLICY)
    assert (outcome.reason, outcome.examined, outcome.blanked_regions) == (None, True, 0)


def test_an_object_without_pixels_passes_unexamined():
    instance = instance_of(noise(8, 8))
    del instance.dataset.PixelData
    (outcome,) = clean_text([instance], POLICY)
    assert (outcome.reason, outcome.examined) == (None, False)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"Rows": 301}, Reason.PIXELS_UNREADABLE),
        ({"Rows": 46341, "Columns": 46341}, Reason.DECOMPRESSION_BOMB),
        ({"NumberOfFrames": 2}, Reason.PIXELS_UNREADABLE),
        ({"BitsStored": 9}, Reason.PIXELS_UNREADABLE),
        ({"PhotometricInterpretation": "CMYK"}, Reason.PIXELS_UNREADABLE),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, Reason.SCREEN_CAPTURE),
        ({"ConversionType": "SD"}, Reason.SCREEN_CAPTURE),
    ],
)
def test_what_cannot_be_examined_never_passes(changes, reason):
    instance = instance_of(noise(300, 400), modality="US")
    for keyword, value in changes.items():
        setattr(instance.dataset, keyword, value)
    (outcome,) = clean_text([instance], POLICY)
    assert (outcome.reason, outcome.examined) == (reason, False)


def test_a_photograph_is_held():
    (outcome,) = clean_text([instance_of(noise(64, 64), modality="XC")], POLICY)
    assert outcome.reason is Reason.PHOTOGRAPH


def test_without_the_option_nothing_that_may_carry_text_passes():
    (outcome,) = clean_text([instance_of(noise(64, 64))], PixelPolicy(clean=False))
    assert outcome.reason is Reason.PIXELS_NOT_EXAMINED


def test_an_engine_that_fails_while_looking_leaves_the_object_unexamined(monkeypatch):
    def broken(self, image):
        raise RuntimeError("DOE^JANE")

    monkeypatch.setattr(engine_module.TextEngine, "text_map", broken)
    (outcome,) = clean_text([instance_of(noise(64, 64), modality="US")], POLICY)
    assert outcome.reason is Reason.PIXELS_NOT_EXAMINED and outcome.examined is False


def test_a_blind_engine_stops_the_run_before_any_study(monkeypatch):
    monkeypatch.setattr(engine_module.TextEngine, "text_map", lambda self, image: np.zeros(image.shape[:2], np.float32))
    with pytest.raises(ReleaseError, match="control image"):
        start_engine()


def test_a_blind_network_stops_the_run_before_any_study(monkeypatch):
    monkeypatch.setattr(network_module, "_ask", lambda signs: np.zeros((2, signs.shape[1] // 2, signs.shape[2] // 2), np.float32))
    with pytest.raises(ReleaseError, match="control image"):
        start_engine()


def test_a_network_that_sees_text_everywhere_stops_the_run(monkeypatch):
    monkeypatch.setattr(network_module, "_ask", lambda signs: np.ones((2, signs.shape[1] // 2, signs.shape[2] // 2), np.float32))
    with pytest.raises(ReleaseError, match="control image"):
        start_engine()


def test_an_absent_network_stops_the_run(monkeypatch):
    monkeypatch.setattr(network_module, "resources", None)
    network_module._session.cache_clear()
    try:
        with pytest.raises(ReleaseError, match="cannot be loaded"):
            start_engine()
    finally:
        network_module._session.cache_clear()


def test_an_absent_engine_stops_the_run(monkeypatch):
    def absent(self):
        raise FileNotFoundError("no model")

    monkeypatch.setattr(engine_module.TextEngine, "__init__", absent)
    engine_module.the_engine.cache_clear()
    try:
        with pytest.raises(ReleaseError, match="cannot be loaded"):
            start_engine()
    finally:
        engine_module.the_engine.cache_clear()


@pytest.mark.slow
def test_looking_again_sees_text_that_was_left(tmp_path):
    frame, _ = draw(noise(300, 400), "DOE^JANE 1961", (40, 60))
    instance = instance_of(frame, modality="US")
    path = tmp_path / "object.dcm"
    instance.dataset.save_as(path, enforce_file_format=True)
    (outcome,) = clean_text([instance], POLICY)
    assert look_again(path, outcome, POLICY) is Reason.TEXT_LEFT
    outcome.instance.dataset.save_as(path, enforce_file_format=True)
    assert look_again(path, outcome, POLICY) is None
