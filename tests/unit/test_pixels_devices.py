"""The device catalogue: each entry's regions lie in its frame, text in them is found there, text elsewhere is a finding of its own.

Where only a banner is known, a banner that holds some text is blanked whole.
"""

from __future__ import annotations

import numpy as np
import pytest

from tasks.pixels import clean_text
from tasks.pixels.devices import device_of, devices
from tasks.policy.pixels import PixelPolicy
from tests.unit.pixels_objects import draw, instance_of

WHOLE = [d for d in devices() if d.whole]
BANNERS = [d for d in devices() if not d.whole]


def _name(device):
    return f"{device.manufacturer} {device.model} {device.rows}"


def _fixture(device, at):
    columns = device.columns or max(x + w for x, _, w, _ in device.regions)
    frame, ink = draw(np.zeros((device.rows, columns), np.uint8), "DOE JANE", at, scale=0.5)
    instance = instance_of(frame)
    instance.dataset.Manufacturer, instance.dataset.ManufacturerModelName = device.manufacturer.title(), device.model.upper() + " 1"
    return instance, ink


@pytest.mark.parametrize("device", devices(), ids=_name)
def test_an_entry_is_found_by_its_header_and_fits_its_frame(device):
    instance, _ = _fixture(device, (2, 14))
    assert device_of(instance.dataset) == device
    columns = instance.dataset.Columns
    assert all(x + w <= columns and y + h <= device.rows and min(x, y) >= 0 for x, y, w, h in device.regions)
    instance.dataset.Rows += 1
    assert device_of(instance.dataset) is None


@pytest.mark.slow
@pytest.mark.parametrize("device", [d for d in WHOLE if d.rows <= 480], ids=_name)
def test_text_in_a_known_region_is_blanked_and_text_elsewhere_is_told_apart(device):
    inside, ink = _fixture(device, (2, 14))
    (outcome,) = clean_text([inside], PixelPolicy())
    assert len(np.unique(outcome.instance.dataset.pixel_array[ink])) == 1
    assert {f.kind for f in outcome.findings} == {"burned_in_text"}
    outside, ink = _fixture(device, (device.columns // 2 - 40, device.rows * 2 // 3 - 20))
    (outcome,) = clean_text([outside], PixelPolicy())
    assert len(np.unique(outcome.instance.dataset.pixel_array[ink])) == 1
    assert {f.kind for f in outcome.findings} == {"text_outside_known_region"}


@pytest.mark.slow
@pytest.mark.parametrize("device", [d for d in BANNERS if d.rows <= 480], ids=_name)
def test_a_banner_with_text_is_blanked_whole_and_text_elsewhere_is_blanked_as_it_lies(device):
    x, y, width, height = device.regions[0]
    instance, ink = _fixture(device, (x + 4, y + height // 2 + 4))
    assert device_of(instance.dataset) == device
    instance.dataset.PixelData = (np.maximum(instance.dataset.pixel_array, 3)).tobytes() + b"\0" * (instance.dataset.pixel_array.size % 2)
    (outcome,) = clean_text([instance], PixelPolicy())
    after = outcome.instance.dataset.pixel_array
    assert len(np.unique(after[y : y + height, x : x + width])) == 1
    assert "P3.device" in {f.rule for f in outcome.findings}
    elsewhere, ink = _fixture(device, (device.regions[0][2] // 4, device.rows * 2 // 3))
    (outcome,) = clean_text([elsewhere], PixelPolicy())
    assert len(np.unique(outcome.instance.dataset.pixel_array[ink])) == 1
    assert {(f.kind, f.rule == "P3.device") for f in outcome.findings} == {("burned_in_text", False)}
