"""Boxes around lines: large letters, crossing lines, turned lines."""

from __future__ import annotations

import numpy as np

from tasks.pixels.blank import mask_of
from tasks.pixels.boxes import TextBox
from tasks.pixels.layout import read_layout
from tasks.pixels.network import InkMaps
from tasks.pixels.regions import _whole_lines, lines_of
from tests.unit.pixels_objects import instance_of, noise

SIZE = 256


def _box(left, top, right, bottom):
    return TextBox(np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32), 0.95, slack=3.0)


def _mask(boxes):
    return mask_of(boxes, read_layout(instance_of(noise(SIZE, SIZE)).dataset, "1.2.840.10008.1.2.1", 10**9))


def _turned_box(left, top, right, bottom, degrees):
    middle = np.array([(left + right) / 2, (top + bottom) / 2], np.float32)
    turn = np.deg2rad(degrees)
    axes = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]], np.float32)
    return TextBox((_box(left, top, right, bottom).corners - middle) @ axes + middle, 0.95, slack=3.0)


def test_a_turned_box_is_blanked_a_little_wider_than_an_upright_one():
    """Its angle is known to a degree or so: the ends of a long line lie a pixel or two off."""
    upright, turned = (_mask([_turned_box(58, 120, 198, 136, degrees)]).sum() for degrees in (0, 20))
    assert 140 * 1.5 < turned - upright < 140 * 5


def test_large_letters_are_one_line_however_little_of_it_is_ink():
    """Boxes of sparse ink were once cut down to squares, and squares of two texts joined to a slanted line across both."""
    ink, line = np.zeros((2, SIZE // 2, SIZE // 2), np.float32)
    line[10:115, 50:70] = line[58:64, 70:78] = 0.95  # a bump beside it has ink of its own
    ink[59:63, 73:77] = 0.9
    for top in range(12, 112, 9):
        ink[top : top + 6, 52] = ink[top : top + 6, 67] = ink[top, 52:68] = ink[top + 3, 52:68] = 0.9
    box = max(lines_of(InkMaps(ink, line)), key=lambda box: max(box.sides))
    x, y, width, height = box.bounds
    assert (abs(x - 104) <= 3, abs(y - 22) <= 4, abs(width - 32) <= 6, abs(height - 206) <= 10) == (True,) * 4


def test_pieces_beside_a_line_do_not_make_it_higher_and_higher():
    pieces = [_box(20, 100, 140, 120), *[_box(142 + 12 * i, 101 - 6 * i, 152 + 12 * i, 121 - 6 * i) for i in range(5)]]
    whole = max(_whole_lines(pieces), key=lambda box: max(box.sides))
    assert min(whole.sides) <= 20 * 1.6 + 1
