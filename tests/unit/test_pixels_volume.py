"""A volume is examined by projections, suspects and samples: text in a single slice is found, clean volumes stay untouched."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.model import Reason
from tasks.pixels import clean_text
from tasks.pixels import plan as plan_module
from tasks.policy.pixels import PixelPolicy
from tests.bench.burned_in.frames import body_slice
from tests.unit.pixels_objects import draw, instance_of

POLICY = PixelPolicy()


def _volume(n=10, rows=144, columns=144):
    return [body_slice(rows, columns, np.random.default_rng(seed)) for seed in range(n)]


def _instances(slices):
    return [instance_of(s, modality="CT", bits_stored=12) for s in slices]


@pytest.mark.slow
def test_a_clean_volume_passes_untouched():
    outcomes = clean_text(_instances(_volume()), POLICY)
    assert {(o.reason, o.examined, o.blanked_regions) for o in outcomes} == {(None, True, 0)}


@pytest.mark.slow
def test_the_noise_of_air_cut_off_at_zero_is_no_text():
    slices = [np.clip(s.astype(int) - 24, 0, None).astype(np.uint16) for s in _volume(8, 256, 256)]
    outcomes = clean_text(_instances(slices), POLICY)
    assert [o.blanked_regions for o in outcomes] == [0] * 8


@pytest.mark.slow
@pytest.mark.parametrize("value", [4000, 1100])
def test_text_in_one_slice_of_many_is_blanked_there(value):
    slices = _volume()
    slices[4], ink = draw(slices[4], "DOE JANE", (14, 60), value=value, scale=0.7)
    outcomes = clean_text(_instances(slices), POLICY)
    after = outcomes[4].instance.dataset.pixel_array
    assert outcomes[4].blanked_regions >= 1 and len(np.unique(after[ink])) == 1
    untouched = [o for i, o in enumerate(outcomes) if i != 4]
    assert all(o.reason is None for o in outcomes) and sum(o.blanked_regions for o in untouched) == 0


@pytest.mark.slow
def test_a_page_of_odd_size_inside_a_series_is_looked_at_itself():
    page, ink = draw(np.zeros((200, 300), np.uint16), "DOSE DOE JANE", (10, 90), value=900)
    outcomes = clean_text([*_instances(_volume(6)), instance_of(page, modality="CT", bits_stored=12)], POLICY)
    assert len(np.unique(outcomes[-1].instance.dataset.pixel_array[ink])) == 1


@pytest.mark.slow
def test_a_slice_that_does_not_decode_is_held_and_the_others_pass():
    instances = _instances(_volume(7))
    instances[3].dataset.PixelData = b"\0" * 100
    outcomes = clean_text(instances, POLICY)
    assert outcomes[3].reason is Reason.PIXELS_UNREADABLE
    assert all(o.reason is None for i, o in enumerate(outcomes) if i != 3)


def test_an_error_while_looking_at_a_volume_leaves_all_slices_unexamined(monkeypatch):
    def broken(*arguments, **options):
        raise RuntimeError("DOE^JANE")

    monkeypatch.setattr(plan_module, "find_text", broken)
    outcomes = clean_text(_instances(_volume(7)), POLICY)
    assert {(o.reason, o.examined) for o in outcomes} == {(Reason.PIXELS_NOT_EXAMINED, False)}


def test_text_that_stands_in_a_cine_is_blanked_in_every_frame():
    rng = np.random.default_rng(5)
    frames = np.stack([np.clip(rng.normal(60, 20, (128, 160)), 0, 200) for _ in range(8)]).astype(np.uint8)
    ink = None
    for i in range(8):
        frames[i], ink = draw(frames[i], "DOE JANE", (10, 30), value=240, scale=0.6)
    (outcome,) = clean_text([instance_of(frames, number_of_frames=8)], POLICY)
    after = outcome.instance.dataset.pixel_array
    assert outcome.reason is None and all(len(np.unique(frame[ink])) == 1 for frame in after)


@pytest.mark.slow
def test_text_in_one_frame_of_a_cine_is_blanked():
    rng = np.random.default_rng(5)
    frames = np.stack([np.clip(rng.normal(60, 20, (128, 160)), 0, 200) for _ in range(12)]).astype(np.uint8)
    frames[7], ink = draw(frames[7], "DOE JANE", (10, 80), value=90, scale=0.6)
    (outcome,) = clean_text([instance_of(frames, number_of_frames=12)], POLICY)
    assert len(np.unique(outcome.instance.dataset.pixel_array[7][ink])) == 1
