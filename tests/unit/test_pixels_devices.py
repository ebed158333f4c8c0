"""The device catalogue: each entry's regions lie in its frame, text in them is found there, text elsewhere is a finding of its own."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.pixels import clean_text
from tasks.pixels.devices import device_of, devices
from tasks.policy.pixels import PixelPolicy
from tests.unit.pixels_objects import draw, instance_of


def _fixture(device, at):
    frame, ink = draw(np.zeros((device.rows, device.columns), np.uint8), "DOE JANE", at, scale=0.5)
    instance = instance_of(frame)
    instance.dataset.Manufacturer, instance.dataset.ManufacturerModelName = device.manufacturer.title(), device.model.upper() + " 1"
    return instance, ink


@pytest.mark.parametrize("device", devices(), ids=lambda d: f"{d.manufacturer} {d.model}")
def test_an_entry_is_found_by_its_header_and_fits_its_frame(device):
    instance, _ = _fixture(device, (2, 14))
    assert device_of(instance.dataset) == device
    assert all(x + w <= device.columns and y + h <= device.rows and min(x, y) >= 0 for x, y, w, h in device.regions)
    instance.dataset.Rows += 1
    assert device_of(instance.dataset) is None


@pytest.mark.parametrize("device", [d for d in devices() if d.rows <= 480], ids=lambda d: f"{d.manufacturer} {d.model}")
def test_text_in_a_known_region_is_blanked_and_text_elsewhere_is_told_apart(device):
    inside, ink = _fixture(device, (2, 14))
    (outcome,) = clean_text([inside], PixelPolicy())
    assert len(np.unique(outcome.instance.dataset.pixel_array[ink])) == 1
    assert {f.kind for f in outcome.findings} == {"burned_in_text"}
    outside, ink = _fixture(device, (device.columns // 2 - 40, device.rows * 2 // 3 - 20))
    (outcome,) = clean_text([outside], PixelPolicy())
    assert len(np.unique(outcome.instance.dataset.pixel_array[ink])) == 1
    assert {f.kind for f in outcome.findings} == {"text_outside_known_region"}
