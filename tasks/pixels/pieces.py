"""What belongs to a line that was found: strokes that reach out of its box, pieces beside it, letters that only the reader's detector saw.

And what does not: parts of a box beside a bend or a bump of its line. Finding lines (`regions`) and proving them (`find`) are done
elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from tasks.pixels.boxes import Points, TextBox, axes_of, box_between
from tasks.pixels.network import InkMaps

_SHOWN = 0.25  # probability from which the maps show something of a line
_HINTED = 0.08  # the same of pixels that have the line's exact value
_DENSE = 0.2  # of a row of a line
_SLIM = 0.75  # of a box's height: a line that fills less of it is cut into parts
_CUT = 0.7  # of a box's height: a part of it that needs less is made lower
_SLICE, _LEAST_SLICE = 1.5, 16.0  # heights of the line, and pixels: no part is shorter, so that parts do not follow letters
_AROUND = 2.0  # pixels around what the maps show
_INK, _LINE = 0.35, 0.3  # probabilities of ink, in a line, that reaches out of a box
_ASIDE, _BEYOND = 0.9, 1.2  # line heights: how far strokes are followed aside of a box and beyond its ends
_LEAST_STROKE = 6  # pixels
_REST = 1.0  # line heights worth another look
_SURELY, _SURE = 0.5, 0.7  # probability of a line there, on average and at its best
_GAP, _OFF, _TALLER = 1.5, 0.9, 2.2  # line heights: between a line and a piece of it, off its middle, how high a piece may be
_TALLEST = 3.0  # the same of a piece that touches its line: the last letter's tail
_PARALLEL = 0.97  # cosine of fourteen degrees
_FURTHER, _MARGIN = 0.3, 0.15  # line heights: what the reader's box must show more, and by how much it is larger than its text
_SEEN = 0.5  # probability of a box of the reader's detector

Plane = np.ndarray[Any, np.dtype[np.bool_]]


def in_parts(box: TextBox, maps: InkMaps, same: Plane | None) -> TextBox:
    """Return the box with the parts that its line fills, where it fills much less than all of it.

    `same` (rows, columns): pixels of the line's exact value, if it has one. A part is longer than a few letters and as high as the maps
    show its line; where they show nothing between two parts, as high as these.
    """
    _, _, length, height = axes_of(box)
    shown = _along(box, (maps.line > _SHOWN) | (maps.ink > _SHOWN), length / 2, height / 2, 2)
    if same is not None:
        shown |= _along(box, same, length / 2, height / 2, 1) & _along(box, maps.line > _HINTED, length / 2, height / 2, 2)
    rows, columns = shown.shape
    if not shown.any() or rows < 8:
        return box
    share = shown.mean(axis=1)
    usual = float((share >= _DENSE * share.max()).sum())
    if usual >= _SLIM * rows:
        return box
    count = max(int(columns / max(_SLICE * usual, _LEAST_SLICE)), 1)
    edges = np.linspace(0, columns, count + 1).astype(int)
    spans = [_span(shown[:, a:b]) for a, b in pairwise(edges)]
    parts = []
    for number, (a, b) in enumerate(pairwise(edges)):
        near = [s for s in spans[number : number + 1] if s] or [s for s in (_next(spans[:number][::-1]), _next(spans[number + 1 :])) if s]
        low, high = min(s[0] for s in near) - _AROUND, max(s[1] for s in near) + _AROUND
        low, high = (max(low, 0.0), min(high, float(rows))) if high - low < _CUT * rows else (0.0, float(rows))
        parts.append(box_between(box, (a - length / 2, low - height / 2), (min(b - length / 2, length / 2), high - height / 2)))
    return replace(box, parts=tuple(parts))


def _span(shown: Plane) -> tuple[int, int] | None:
    """Return the first row and the one after the last that a line fills; None when it fills none."""
    rows = np.flatnonzero(shown.mean(axis=1) >= _DENSE)
    return (int(rows[0]), int(rows[-1]) + 1) if rows.size else None


def _next(spans: Sequence[tuple[int, int] | None]) -> tuple[int, int] | None:
    return next((span for span in spans if span is not None), None)


def _along(box: TextBox, plane: Plane, reach: float, aside: float, scale: int) -> Plane:
    """Return a plane (of a pixel for `scale` pixels of the frame) sampled along a line: one column a pixel, one row a pixel across."""
    along, across, _, _ = axes_of(box)
    places = np.arange(-reach + 0.5, reach)
    offsets = np.arange(-aside + 0.5, aside)
    points = np.multiply.outer(offsets, across)[:, None] + np.multiply.outer(places, along) + box.corners.mean(axis=0)
    column, row = np.floor(points / scale).astype(int).transpose(2, 0, 1)
    is_inside = (column >= 0) & (column < plane.shape[1]) & (row >= 0) & (row < plane.shape[0])
    return np.asarray(is_inside & plane[np.clip(row, 0, plane.shape[0] - 1), np.clip(column, 0, plane.shape[1] - 1)], bool)


def left_of(box: TextBox, fitted: TextBox, maps: InkMaps) -> list[tuple[TextBox, bool]]:
    """Return what is left of a line beyond the ends of its part that has one value: text of another value may follow it.

    And with each whether to look for a value again: only where it is shorter than the line. A fitted part that lies at the line's end, or
    outside it, would be found again for ever.
    """
    import cv2

    _, _, length, height = axes_of(box)
    left, right, _, _ = _place(box, fitted.corners)
    rest = []
    for low, high in ((-length / 2, min(left, length / 2)), (max(right, -length / 2), length / 2)):
        if high - low < _REST * height:
            continue
        corners = box_between(box, (low, -height / 2), (high, height / 2))
        inside = cv2.fillConvexPoly(np.zeros(maps.line.shape, np.uint8), np.round(corners / 2).astype(np.int32), 1) > 0
        line, inked = maps.line[inside], int((maps.ink[inside] > _INK).sum())
        if inked >= _LEAST_STROKE and line.mean() >= _SURELY and (line > _SURE).any():
            is_shorter = high - low <= length - max(_REST * height, 1.0)
            rest.append((replace(box, corners=corners, score=float(line[line > _SURE].mean())), is_shorter))
    return rest


def with_strokes(box: TextBox, maps: InkMaps) -> TextBox:
    """Return the box with parts around strokes of its line that reach out of it: tails, tall letters, a last letter."""
    import cv2

    _, _, length, height = axes_of(box)
    height = max(height, 8.0)
    reach, aside = length / 2 + _BEYOND * height, height / 2 + _ASIDE * height
    ink = _along(box, (maps.ink > _INK) & (maps.line > _LINE), reach, aside, 2)
    rows, columns = ink.shape
    offset, place = np.arange(rows) + 0.5 - rows / 2, np.arange(columns) + 0.5 - columns / 2
    inside = (np.abs(offset) <= height / 2)[:, None] & (np.abs(place) <= length / 2)
    beyond = ink & ~inside
    _, labels, stats, _ = cv2.connectedComponentsWithStats(beyond.astype(np.uint8), connectivity=8)
    touching = np.unique(labels[beyond & (cv2.dilate(inside.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)])
    found = []
    for label in touching:
        x, y, width, tall, area = (int(v) for v in stats[label])
        leads_on = x == 0 or y == 0 or x + width == columns or y + tall == rows  # to a line of its own
        if area >= _LEAST_STROKE and not leads_on:
            low, high = (x - columns / 2, y - rows / 2), (x + width - columns / 2, y + tall - rows / 2)
            found.append(box_between(box, low, high))
    return replace(box, parts=(*(box.parts or (box.corners,)), *found)) if found else box


def pieces_beside(found: Sequence[TextBox], others: Sequence[TextBox]) -> list[int]:
    """Return which of the other boxes are pieces of lines that were found: right behind or before one, and of its height at most twice."""
    lines, chosen = list(found), set[int]()
    while True:
        more = [i for i, other in enumerate(others) if i not in chosen and any(_adjoins(line, other) for line in lines)]
        if not more:
            return sorted(chosen)
        chosen.update(more)
        lines = [others[i] for i in more if max(others[i].sides) >= 2 * min(others[i].sides)]


def _place(line: TextBox, corners: Points) -> tuple[float, float, float, float]:
    """Return from where to where corners lie along a line and across it, as seen from its middle."""
    along, across, _, _ = axes_of(line)
    place = (corners - line.corners.mean(axis=0)) @ np.stack([along, across]).T
    (left, top), (right, bottom) = place.min(axis=0), place.max(axis=0)
    return float(left), float(right), float(top), float(bottom)


def _adjoins(line: TextBox, piece: TextBox) -> bool:
    _, _, length, height = axes_of(line)
    if length < 1.5 * height:
        return False
    left, right, top, bottom = _place(line, piece.corners)
    gap = max(left - length / 2, -length / 2 - right)
    return gap <= _GAP * height and abs(top + bottom) / 2 <= _OFF * height and bottom - top <= (_TALLEST if gap < 0 else _TALLER) * height


def to_readers_ends(found: Sequence[TextBox], seen: Sequence[tuple[Points, float]]) -> list[TextBox]:
    """Return boxes for what the reader's own detector sees of lines beyond their ends."""
    more = []
    for corners, score in seen:
        other = TextBox(corners, score, rule="P2.ocr", slack=2.0)
        direction, _, other_length, _ = axes_of(other)
        for line in found:
            along, _, length, height = axes_of(line)
            if score < _SEEN or min(length, other_length) < 2 * height or abs(float(along @ direction)) < _PARALLEL:
                continue
            left, right, top, bottom = _place(line, corners)
            if abs(top + bottom) / 2 > 0.5 * height or bottom - top > _TALLER * height or max(left, -length / 2) >= min(right, length / 2):
                continue
            left, right = left + _MARGIN * height, right - _MARGIN * height
            if left < -length / 2 - _FURTHER * height:
                more.append(replace(other, corners=box_between(line, (left, -height / 2), (-length / 2, height / 2))))
            if right > length / 2 + _FURTHER * height:
                more.append(replace(other, corners=box_between(line, (length / 2, -height / 2), (right, height / 2))))
    return more
