"""Boxes are cut down to clear ink, never into faint text."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tasks.pixels.boxes import TextBox
from tasks.pixels.ink import ink_like
from tasks.pixels.tight import tighten


def a_box(x, y, width, height):
    return TextBox(np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], np.float32), 0.9)


def lifted(grey):
    return np.dstack([grey] * 3)


@pytest.fixture
def ground():
    return np.random.default_rng(4).normal(60, 3, (160, 400)).clip(0, 255).astype(np.uint8)


def test_a_wide_box_is_cut_to_its_line(ground):
    cv2.putText(ground, "DOE^JANE", (100, 80), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 230, 2)
    rows, columns = np.nonzero(ground > 200)
    tight = tighten(a_box(40, 52, 300, 40), lifted(ground), None)
    x, y, width, height = tight.bounds
    assert tight.tight
    assert x <= columns.min() and y <= rows.min() and x + width > columns.max() and y + height > rows.max()
    assert x >= columns.min() - 6 and x + width <= columns.max() + 7
    assert y >= rows.min() - 6 and y + height <= rows.max() + 7


def test_a_box_without_clear_ink_stays(ground):
    box = a_box(40, 52, 300, 40)
    assert tighten(box, lifted(ground), None) is box


def test_a_faint_end_of_a_line_is_not_cut_off(ground):
    cv2.putText(ground, "DOE^", (60, 80), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 230, 2)
    faint = np.zeros_like(ground)
    cv2.putText(faint, "JANE", (140, 80), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 14, 2)
    ground += faint
    x, _, width, _ = tighten(a_box(55, 58, 160, 28), lifted(ground), None).bounds
    assert x + width >= np.nonzero(faint)[1].max()


def test_the_value_of_a_line_finds_strokes_that_no_tile_was_sure_of():
    values = np.random.default_rng(5).integers(0, 2000, (256, 256)).astype(np.uint16)
    cv2.putText(values, "ID 4711", (20, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 777, 1)
    drawn = values == 777
    drawn[:, 70:] = False
    same = ink_like((15, 20, 60, 30), drawn, values)
    assert same[:, 75:].sum() > 20
    assert (same <= (values == 777)).all()
