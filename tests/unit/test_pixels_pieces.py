"""What belongs to a line is blanked with it, what does not is left: tails, pieces, the reader's ends, bumps beside a line."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from tasks.pixels.blank import mask_of
from tasks.pixels.boxes import TextBox
from tasks.pixels.contrast import distinctness
from tasks.pixels.engine import Reading, the_engine
from tasks.pixels.find import _is_text, _Line, find_text
from tasks.pixels.ink import ink_mask
from tasks.pixels.layout import read_layout
from tasks.pixels.lengthen import lengthened
from tasks.pixels.network import InkMaps
from tasks.pixels.pieces import in_parts, left_of, pieces_beside, to_readers_ends, with_strokes
from tests.unit.pixels_objects import instance_of, noise

SIZE = 256
TWO = (("DOE^JANE", 20), ("1961-03-14", 160))


def _box(left, top, right, bottom, **more):
    return TextBox(np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32), 0.95, **more)


def _maps(*lines, ink=()):
    """Maps that are sure of text in each of some (left, top, right, bottom), in pixels of the frame."""
    planes = np.zeros((2, SIZE // 2, SIZE // 2), np.float32)
    for plane, boxes in zip(planes, (ink or lines, lines), strict=True):
        for left, top, right, bottom in boxes:
            plane[top // 2 : bottom // 2, left // 2 : right // 2] = 0.95
    return InkMaps(*planes)


def _mask(boxes):
    return mask_of(boxes, read_layout(instance_of(noise(SIZE, SIZE)).dataset, "1.2.840.10008.1.2.1", 10**9))


def test_a_box_is_blanked_with_a_margin_and_in_a_jpeg_with_the_coding_units_that_it_touches_and_no_more():
    native = read_layout(instance_of(noise(SIZE, SIZE)).dataset, "1.2.840.10008.1.2.1", 10**9)
    box, beside = _box(50, 60, 150, 84), np.ones((SIZE, SIZE), bool)
    beside[60:84, 50:150] = False
    assert mask_of([box], native)[58:86, 48:152].all()
    coded = mask_of([box], replace(native, syntax="1.2.840.10008.1.2.4.50"))
    assert coded[60:84, 50:150].all()
    assert not coded[beside].any()


@pytest.mark.parametrize("turned", [False, True])
def test_a_box_that_a_bump_made_high_is_blanked_where_its_line_runs(turned):
    line, bump = (10, 100, 230, 124), (20, 60, 50, 100)
    maps = _maps(line, bump)
    box = _box(10, 60, 230, 124)
    if turned:
        maps = InkMaps(maps.ink.T.copy(), maps.line.T.copy())
        box = replace(box, corners=box.corners[:, ::-1].copy())
    mask = _mask([in_parts(box, maps, None)])
    mask = mask.T if turned else mask
    assert mask[100:124, 10:230].all()
    assert mask[60:100, 20:40].all()
    assert not mask[:94, 110:].any()


def test_a_box_that_its_line_fills_stays_whole():
    box = _box(10, 100, 230, 124)
    assert in_parts(box, _maps((10, 100, 230, 124)), None) is box
    assert in_parts(box, _maps(), None) is box


def test_a_gap_between_two_words_stays_as_high_as_the_words():
    box = in_parts(_box(10, 60, 230, 124), _maps((10, 100, 90, 124), (150, 100, 230, 124)), None)
    assert _mask([box])[100:124, 10:230].all()


def test_tails_that_reach_out_of_a_line_are_blanked_and_lines_that_lead_on_are_not():
    box = _box(60, 100, 180, 116)
    tail, ruler = (100, 112, 106, 126), (140, 112, 144, 250)
    maps = _maps((60, 100, 180, 116), tail, ruler)
    mask = _mask([with_strokes(box, maps)])
    assert mask[112:126, 100:106].all()
    assert not mask[124:, 138:150].any()


def test_pieces_behind_a_line_belong_to_it_and_lines_below_do_not():
    line, behind, further = _box(40, 100, 120, 116), _box(128, 98, 144, 118), _box(150, 100, 162, 116)
    below, taller = _box(40, 122, 120, 138), _box(128, 60, 170, 160)
    assert pieces_beside([line], [behind, below, taller]) == [0]
    assert pieces_beside([], [behind]) == []
    assert pieces_beside([line], [further]) == []  # a gap of its own
    assert pieces_beside([_box(40, 100, 56, 116)], [behind]) == []  # one letter has no direction


def test_a_line_reaches_as_far_as_the_reader_sees_it():
    line = _box(60, 100, 140, 116)
    wide = _box(40, 96, 180, 120).corners
    mask = _mask([line, *to_readers_ends([line], [(wide, 0.9)])])
    assert mask[100:116, 45:175].all()
    assert not mask[:, 190:].any()
    assert to_readers_ends([line], [(wide, 0.3)]) == []
    assert to_readers_ends([line], [(_box(40, 130, 180, 150).corners, 0.9)]) == []  # another line
    assert to_readers_ends([line], [(_box(90, 40, 110, 180).corners, 0.9)]) == []  # across


def test_ink_over_the_edge_of_an_even_ground_is_seen_on_both_sides():
    values = noise(96, 256, mean=120).astype(np.uint16) * 16
    values[50:] = 0
    ink = cv2.putText(np.zeros(values.shape, np.uint8), "DOE^JANE 1961", (20, 58), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 1, 1) > 0
    values[ink] = 3001
    drawn = ink_mask(values)
    above, below = ink.copy(), ink.copy()
    above[48:], below[:52] = False, False
    assert drawn[above].mean() > 0.8
    assert drawn[below].mean() > 0.8
    assert drawn[~ink].mean() < 0.02


@pytest.mark.parametrize(("score", "is_enough"), [(0.85, False), (0.90, False), (0.92, True), (0.95, True), (1.0, True)])
def test_the_surer_the_network_is_of_a_line_the_less_must_be_read_of_it(score, is_enough):
    half, box = Reading("DOE^", 0.55), replace(_box(10, 10, 90, 24), score=score)  # 1.6 of the 3.0 that are enough of any line
    line = _Line(box, box, is_proven=False)
    assert _is_text(line, half, 1.0) == is_enough
    assert _is_text(line, Reading("DOE^JANE", 0.9), 1.0)
    assert not _is_text(line, Reading("", 0.0), 1.0)


def test_a_likely_line_is_text_when_it_stands_out_or_is_very_sure_or_anything_is_read_of_it_or_nobody_has_read_it():
    line = _Line(_box(10, 10, 60, 26), _box(10, 10, 60, 26), is_proven=False, is_likely=True)
    assert _is_text(line, Reading("uw", 0.2), 1.0)
    assert _is_text(line, None, 1.0)
    assert _is_text(line._replace(is_clear=True), Reading("", 0.0), 1.0)
    assert _is_text(line._replace(box=replace(line.box, score=0.97)), Reading("", 0.0), 1.0)
    assert not _is_text(line, Reading("", 0.0), 1.0)
    assert not _is_text(line._replace(is_likely=False), Reading("uw", 0.2), 1.0)


def test_text_of_another_value_on_the_same_line_is_left_to_be_looked_at():
    """Two texts side by side are one line of the maps; fitting it to the value of one once dropped the other."""
    whole, fitted = _box(10, 100, 230, 116), _box(120, 101, 230, 115)
    ((rest, again),) = left_of(whole, fitted, _maps((10, 100, 100, 116), (120, 100, 230, 116)))
    assert again
    assert rest.bounds == (10, 100, 110, 16)
    assert rest.score == pytest.approx(0.95, abs=0.01)
    assert left_of(whole, fitted, _maps((120, 100, 230, 116))) == []
    assert left_of(whole, whole, _maps((10, 100, 230, 116))) == []


@pytest.mark.parametrize("part", [(0, 100, 10, 116), (0, 100, 12, 116), (230, 100, 250, 116)], ids=["before", "at the end", "behind"])
def test_a_line_whose_value_lies_outside_of_it_is_not_asked_for_a_value_for_ever(part):
    whole, maps = _box(10, 100, 230, 116), _maps((10, 100, 230, 116))
    for rest, again in left_of(whole, _box(*part), maps):
        assert max(rest.sides) <= max(whole.sides)  # never beyond the line
        assert not again


def test_two_texts_of_two_values_on_one_line_are_both_found():
    values = noise(96, 384, mean=60, spread=3)
    ink = [cv2.putText(np.zeros(values.shape, np.uint8), t, (x, 52), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 1, 1) > 0 for t, x in TWO]
    values[ink[0]], values[ink[1]] = 110, 240
    found = find_text(values, read_layout(instance_of(values).dataset, "1.2.840.10008.1.2.1", 10**9), the_engine())
    mask = mask_of(found, read_layout(instance_of(values).dataset, "1.2.840.10008.1.2.1", 10**9))
    assert mask[ink[0]].mean() > 0.97
    assert mask[ink[1]].mean() > 0.97
    assert mask.mean() < 0.3


def test_clear_strokes_are_distinct_and_the_grain_of_their_ground_is_not():
    grey = noise(SIZE, SIZE, spread=6).astype(np.float32)
    ink = cv2.putText(np.zeros(grey.shape, np.uint8), "DOE^JANE", (60, 120), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 1, 2) > 0
    shown = np.where(ink[::2, ::2] | ink[1::2, ::2] | ink[::2, 1::2] | ink[1::2, 1::2], 0.9, 0.0).astype(np.float32)
    box = _box(56, 98, 200, 124)
    assert distinctness(box, np.where(ink, np.float32(160), grey), shown) > 7
    assert distinctness(box, grey, shown) < 2.4
    assert distinctness(box, grey, np.zeros_like(shown)) == 0
    assert distinctness(_box(-90, -90, -10, -60), grey, shown) == 0


@pytest.mark.parametrize(("left", "is_its"), [(110, True), (126, False)])
def test_a_tail_is_a_piece_of_the_line_that_it_touches(left, is_its):
    line, tail = _box(20, 100, 120, 110), _box(left, 96, 140, 122)  # 2.6 heights
    assert pieces_beside([line], [tail]) == ([0] if is_its else [])


def test_a_line_is_followed_where_the_network_is_sure_of_it_whatever_lies_beside():
    maps = _maps((20, 100, 200, 110))
    maps.line[40:66, 60:100] = np.maximum(maps.line[40:66, 60:100], 0.5)
    assert lengthened(_box(20, 100, 120, 110), maps.line).corners[:, 0].max() > 195
