"""Icons, overlays and shutters do not outlive the examination of the picture that they belong to."""

from __future__ import annotations

from pydicom.dataset import Dataset

from tasks.pixels.beside import without_side_pictures
from tests.unit.pixels_objects import instance_of, noise


def test_icon_overlay_and_shutter_are_gone_and_the_source_is_untouched():
    instance = instance_of(noise(16, 16))
    icon = Dataset()
    icon.Rows = icon.Columns = 4
    instance.dataset.IconImageSequence = [icon]
    instance.dataset.ShutterShape = "RECTANGULAR"
    instance.dataset.ShutterLeftVerticalEdge = 3
    instance.dataset.add_new(0x60000010, "US", 16)
    instance.dataset.add_new(0x60023000, "OW", b"\xff" * 32)
    cleaned = without_side_pictures(instance).dataset
    assert [hex(int(t)) for t in cleaned._dict if int(t) >> 16 in (0x6000, 0x6002, 0x0088)] == []
    assert "ShutterShape" not in cleaned and "ShutterLeftVerticalEdge" not in cleaned
    assert cleaned.Rows == 16 and cleaned.PixelData == instance.dataset.PixelData
    assert "IconImageSequence" in instance.dataset


def test_an_object_without_them_is_the_same_object():
    instance = instance_of(noise(16, 16))
    assert without_side_pictures(instance) is instance
