"""Text that a viewer does not show, or not yet, is blanked all the same: under shutters, in palettes, in unused bits, in later parts."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.pixels import clean_text
from tasks.policy.pixels import PixelPolicy
from tests.unit.pixels_objects import draw, instance_of, noise

POLICY = PixelPolicy()


def _palette(instance, table):
    for name, values in zip(("Red", "Green", "Blue"), table.T, strict=True):
        setattr(instance.dataset, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(instance.dataset, f"{name}PaletteColorLookupTableData", (values.astype("<u2") * 257).tobytes())
    return instance


def test_text_under_a_shutter_is_blanked_and_the_shutter_is_gone():
    frame, ink = draw(noise(200, 300), "DOE JANE", (20, 40), value=240)
    instance = instance_of(frame)
    instance.dataset.ShutterShape = "RECTANGULAR"
    instance.dataset.ShutterUpperHorizontalEdge, instance.dataset.ShutterLowerHorizontalEdge = 60, 200
    (outcome,) = clean_text([instance], POLICY)
    assert len(np.unique(outcome.instance.dataset.pixel_array[ink])) == 1
    assert "ShutterShape" not in outcome.instance.dataset


def test_text_in_an_index_that_shares_its_colour_with_the_ground_is_blanked():
    frame, ink = draw(np.clip(noise(200, 300), 0, 199), "DOE JANE 1961", (20, 60), value=201)
    table = np.stack([np.arange(256)] * 3, axis=1)
    table[201] = 60  # the ground's own grey: shown with this palette, nobody sees the ink
    (outcome,) = clean_text([_palette(instance_of(frame, photometric="PALETTE COLOR"), table)], POLICY)
    assert outcome.reason is None and (outcome.instance.dataset.pixel_array[ink] != 201).all()


def test_text_that_only_the_palette_makes_visible_is_blanked():
    frame, ink = draw(noise(200, 300, mean=100, spread=8), "DOE JANE 1961", (20, 60), value=101)
    table = np.stack([np.arange(256)] * 3, axis=1)
    table[101] = (255, 255, 0)
    (outcome,) = clean_text([_palette(instance_of(frame, photometric="PALETTE COLOR"), table)], POLICY)
    assert outcome.reason is None and len(np.unique(outcome.instance.dataset.pixel_array[ink])) == 1


def test_an_overlay_in_unused_bits_is_blanked():
    values = noise(200, 300, mean=1000, spread=100, dtype=np.uint16)
    _, ink = draw(values, "DOE JANE", (20, 60))
    values[ink] |= 1 << 14
    (outcome,) = clean_text([instance_of(values, modality="CR", bits_stored=12)], POLICY)
    stored = np.frombuffer(outcome.instance.dataset.PixelData, "<u2").reshape(200, 300)
    assert outcome.reason is None and not (stored[ink] & (1 << 14)).any()


@pytest.mark.slow
def test_text_in_a_later_part_of_a_concatenation_is_blanked_there():
    parts = [np.stack([noise(128, 160, seed=4 * part + i) for i in range(4)]) for part in range(3)]
    parts[2][1], ink = draw(parts[2][1], "DOE JANE", (10, 40), value=220, scale=0.6)
    instances = [instance_of(part, number_of_frames=4) for part in parts]
    for number, instance in enumerate(instances, start=1):
        instance.dataset.ConcatenationUID, instance.dataset.InConcatenationNumber = "2.25.9", number
    outcomes = clean_text(instances, POLICY)
    assert [o.blanked_regions > 0 for o in outcomes] == [False, False, True]
    assert len(np.unique(outcomes[2].instance.dataset.pixel_array[1][ink])) == 1


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.201"])
def test_a_small_stream_that_claims_a_huge_frame_is_refused_before_a_decoder_sees_it(syntax, monkeypatch):
    def decoded(*arguments):
        raise AssertionError("a decoder was asked")

    monkeypatch.setattr("tasks.pixels.decode._decoded", decoded)
    instance = instance_of(noise(16, 16), syntax=syntax)
    instance.dataset.Rows, instance.dataset.Columns = 40_000, 40_000
    (outcome,) = clean_text([instance], POLICY)
    assert (str(outcome.reason), outcome.examined) == ("decompression_bomb", False)
