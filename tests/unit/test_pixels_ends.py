"""Where a line ends: pixels of its one value lead on where the network saw nothing, and an end that fades away is none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tasks.pixels.boxes import TextBox
from tasks.pixels.lengthen import lengthened
from tasks.pixels.one_value import fitted, followed, values_of
from tests.unit.pixels_objects import noise

ROWS, COLUMNS = 128, 512
VALUE = 137


def _box(left, top, right, bottom):
    return TextBox(np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32), 0.95)


def _reach(box):
    return float(box.corners[:, 0].min()), float(box.corners[:, 0].max())


def _written(text="DOE^JANE 1961-03-14", spread=40.0, value=VALUE, full=160):
    """Return values with one line of text from column 40 on, and where it was written; ink of less than `full` covers half of a pixel."""
    values = noise(ROWS, COLUMNS, mean=120, spread=spread).astype(np.int64)
    ink = cv2.putText(np.zeros(values.shape, np.uint8), text, (40, 70), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 1, cv2.LINE_AA)
    values = np.where(ink > full, value, np.where(ink > 60, (values + value) // 2, values))
    return values, ink > 60


def test_a_line_goes_on_as_long_as_pixels_of_its_value_do():
    values, ink = _written()
    end = int(np.flatnonzero(ink.any(axis=0))[-1])
    left, right = _reach(followed(_box(40, 55, 120, 72), values == VALUE))
    assert end - 3 <= right <= end + 8
    assert left >= 30
    assert _reach(fitted(_box(40, 55, 120, 72), values == VALUE))[1] == pytest.approx(right, abs=3)


def test_text_of_the_same_value_farther_on_is_another_line():
    values, ink = _written(text="DOE^JANE")
    end = int(np.flatnonzero(ink.any(axis=0))[-1])
    values[20:110, end + 44 : end + 60] = VALUE
    box = _box(38, 55, end + 3, 72)
    for longer in (followed(box, values == VALUE), fitted(box, values == VALUE)):
        assert _reach(longer)[1] <= end + 8
        assert min(longer.sides) >= 12


def test_a_value_that_is_as_common_beside_a_line_leads_nowhere():
    values, _ = _written(spread=4.0, value=120)
    box = _box(40, 55, 120, 72)
    assert followed(box, values == 120) is box
    assert followed(box, values == 9999) is box


@pytest.mark.parametrize("columns", [(0, 256), (256, 512)], ids=["below", "not below"])
def test_a_value_that_is_common_on_one_side_of_a_line_leads_nowhere(columns):
    """Half of what lies beside it is anatomy without that value: the side that has it decides."""
    values = noise(ROWS, COLUMNS, mean=400, spread=40).astype(np.int64)
    values[50:, slice(*columns)] = noise(ROWS, COLUMNS, mean=120, spread=6)[50:, slice(*columns)]
    box = _box(columns[0] + 40, 55, columns[0] + 100, 72)
    assert max(followed(box, values == 121).sides) - 60 <= 17


def test_half_covered_ink_hints_at_a_value_that_proves_nothing():
    values, ink = _written(text="DOE", full=223)
    shown = (ink.reshape(ROWS // 2, 2, COLUMNS // 2, 2).max(axis=(1, 3)) * 0.9).astype(np.float32)
    box = _box(38, 55, 80, 74)
    found = values_of(box, values, shown)
    assert VALUE in found.hinted
    assert found.leading == []
    assert values_of(box, noise(ROWS, COLUMNS, mean=120, spread=30), shown) == ([], [])


def test_greys_of_a_colour_frame_are_neighbours_of_the_next_grey():
    """Packed into one integer they lie far apart: each would lead, as none lay beside it."""
    _, ink = _written(text="DOE")
    grey = noise(ROWS, COLUMNS, spread=3).astype(np.int64)
    shown = (ink.reshape(ROWS // 2, 2, COLUMNS // 2, 2).max(axis=(1, 3)) * 0.9).astype(np.float32)
    assert values_of(_box(38, 55, 80, 74), (grey << 32) | (grey << 16) | grey, shown) == ([], [])


def _map(levels, end=200):
    """Return a map that is sure of a line of 16 pixels height up to a column, and has these levels behind it, one every 8 pixels."""
    line = np.zeros((ROWS // 2, COLUMNS // 2), np.float32)
    line[27:35, 20 : end // 2] = 0.98
    for number, level in enumerate(levels):
        line[27:35, end // 2 + 4 * number : end // 2 + 4 * (number + 1)] = level
    return line


@pytest.mark.parametrize(
    ("levels", "least", "most"),
    [((), 200, 204), ((0.3,), 200, 212), ((0.7, 0.5, 0.4, 0.3, 0.2), 240, 280), ((0.7, *[0.3] * 12), 296, 340)],
    ids=["falls", "falls within a letter", "fades", "fades over a long way"],
)
def test_an_end_that_fades_is_followed_as_far_again(levels, least, most):
    _, right = _reach(lengthened(_box(40, 54, 200, 70), _map(levels)))
    assert least <= right <= most


def test_a_short_piece_that_fades_is_not_followed_farther():
    assert _reach(lengthened(_box(176, 54, 200, 70), _map((0.7, 0.5, 0.4, 0.3, 0.2))))[1] <= 244
