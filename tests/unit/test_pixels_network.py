"""The ink network sees faint, turned and single-valued text, and no text where there is none; its maps become tight boxes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tasks.pixels import network
from tasks.pixels.ink import ink_mask
from tasks.pixels.network import InkMaps, ink_maps
from tasks.pixels.regions import lines_of
from tests.unit.pixels_objects import noise


def _maps(values):
    return ink_maps(values, values.astype(np.float32), ink_mask(values))


def _covered(boxes, shape):
    mask = np.zeros(shape, np.uint8)
    for box in boxes:
        cv2.fillConvexPoly(mask, np.round(box.corners).astype(np.int32), 1)
    return mask > 0


def _written(values, text, at, value, degrees=0, scale=0.6):
    ink = cv2.putText(np.zeros(values.shape, np.uint8), text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, 1, 1)
    if degrees:
        turn = cv2.getRotationMatrix2D((values.shape[1] / 2, values.shape[0] / 2), degrees, 1)
        ink = cv2.warpAffine(ink, turn, values.shape[::-1], flags=cv2.INTER_NEAREST)
    return np.where(ink > 0, np.array(value, values.dtype), values), ink > 0


@pytest.mark.parametrize("degrees", [0, 15, -15, 90, 180])
@pytest.mark.parametrize("value", [25, 95, 140])
def test_text_of_one_value_in_speckle_is_found_at_any_angle(degrees, value):
    values, ink = _written(noise(256, 256, spread=10), "DOE^JANE 1961", (50, 130), value, degrees)
    boxes = lines_of(_maps(values))
    assert _covered(boxes, values.shape)[ink].mean() > 0.95
    assert sum(box.sides[0] * box.sides[1] for box in boxes) < 2.5 * 170 * 18


@pytest.mark.parametrize("make", [lambda: noise(200, 300), lambda: np.zeros((64, 64), np.uint8), lambda: np.full((37, 53), 7, np.uint16)])
def test_no_text_is_seen_where_there_is_none(make):
    values = make()
    maps = _maps(values)
    assert maps.line.shape == (-(-values.shape[0] // 2), -(-values.shape[1] // 2))
    assert lines_of(maps) == []


def test_lines_rings_and_scales_in_one_value_are_no_text():
    values = noise(256, 256)
    cv2.line(values, (10, 10), (240, 200), 250, 1)
    cv2.circle(values, (128, 128), 60, 250, 1)
    for y in range(20, 240, 12):
        values[y, 230:240] = 250
    assert lines_of(_maps(values)) == []


@pytest.mark.parametrize("rows", [1, 7, 864, 865, 866, 867, 1537, 1663])
def test_frames_of_any_side_are_seen_whole(rows):
    """A frame with an odd side of several tiles once could not be examined at all."""
    maps = _maps(noise(rows, 33))
    assert maps.ink.shape == maps.line.shape == (-(-rows // 2), 17)


def test_tiles_answer_for_every_pixel_once_and_can_be_folded():
    for length in range(1, 3200):
        spans = network._spans(length)
        assert [0, *(last for *_, last in spans)] == [*(first for _, _, first, _ in spans), length]
        assert all(start % 2 == first % 2 == 0 and start <= first < last <= stop <= length for start, stop, first, last in spans)
        assert all(stop == length or stop % 2 == 0 for _, stop, _, _ in spans)


def test_a_line_over_the_border_of_two_tiles_is_one_box():
    values, ink = _written(noise(120, 1100), "DOE JANE 14-MAR-1961 SAINT MARY HOSPITAL ROOM 12", (430, 60), 140)
    boxes = lines_of(_maps(values))
    assert len(boxes) == 1 and _covered(boxes, values.shape)[ink].mean() > 0.98


def test_a_box_is_as_tight_as_its_line():
    line, ink = np.zeros((2, 100, 100), np.float32)
    line[38:52, 12:88] = ink[42:48:2, 22:78] = 0.9
    (box,) = lines_of(InkMaps(ink, line))
    x, y, width, height = box.bounds
    assert 40 <= x <= 44 and 80 <= y <= 84  # the ink begins at 44, 84 and ends before 156, 94
    assert 156 <= x + width <= 160 and 94 <= y + height <= 98


def test_a_box_without_clear_ink_is_as_long_as_its_line():
    line, ink = np.zeros((2, 100, 100), np.float32)
    line[40:50, 20:80] = 0.9
    ink[44, 30:40] = 0.9
    (box,) = lines_of(InkMaps(ink, line))
    assert box.bounds == (40, 80, 120, 20)


def test_a_bent_region_is_covered_by_several_boxes_and_not_by_one():
    line, ink = np.zeros((2, 100, 100), np.float32)
    line[10:20, 10:90] = line[10:90, 10:20] = ink[12:18, 12:88] = ink[12:88, 12:18] = 0.9
    boxes = lines_of(InkMaps(ink, line))
    mask = _covered(boxes, (200, 200))
    assert mask[1::2, 1::2][ink > 0].all()
    assert mask.sum() < 2 * (line > 0).sum() * 4


def test_specks_and_doubtful_lines_are_dropped():
    line, ink = np.zeros((2, 100, 100), np.float32)
    line[10:12, 10:13] = ink[10:12, 10:13] = 0.95
    line[40:50, 20:80] = ink[42:48, 22:78] = 0.6
    assert lines_of(InkMaps(ink, line)) == []
    line[60:70, 20:80] = ink[62:68, 22:78] = 0.8
    assert len(lines_of(InkMaps(ink, line))) == 1
    assert lines_of(InkMaps(ink, line), doubt=2) == []
