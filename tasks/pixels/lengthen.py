"""Lines fitted to their ink: followed to their ends where the network was not sure of every letter, cut down to pixels of one exact value.

Finding the line (`regions`) and proving that it is text (`find`) do not belong here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from tasks.pixels.boxes import Points, TextBox, axes_of, box_between
from tasks.pixels.signs import Real

_BEYOND = 12.0  # line heights looked at beyond either end
_STEP, _GAP = 0.5, 3  # line heights; steps without ink after which a line has ended
_LEAST, _DENSER = 4, 4.0  # pixels of the value in a step of a line, and times as many as beside the line
_COMMON = 0.02  # of the frame outside the line: a value this frequent leads anywhere
_FULL = 0.12  # of a box has its one value: enough to tell where the line begins and ends
_ASIDE = 3.0  # pixels by which a line may be higher than its box
_WEAK, _CLEARER, _MORE = 0.08, 2.5, 0.03  # probability of a line that still leads on: this, times that beside it, and as much more
_SKIRT = 6.0  # pixels over which the map falls off beyond the last letter
_FRINGE = 1.0  # pixels of half-covered ink around full ink


class _Strip(NamedTuple):
    """Points near a line in its own coordinates: along it, across it, from its middle."""

    along: Points
    across: Points


def lengthened(box: TextBox, line: Real) -> TextBox:
    """Return the box lengthened while the network's map of lines (at half the resolution) stays above what it is beside the line."""
    along, across, length, thick = axes_of(box)
    height, middle = max(thick, 6.0), box.corners.mean(axis=0)
    rows, columns = line.shape
    offsets = np.arange(-height * 1.5 - 4, height * 1.5 + 5, 2.0)
    in_line = np.abs(offsets) <= height / 2
    beside = np.abs(offsets) > height / 2 + 4

    def end(direction: float) -> float:
        reached, empty, position = length / 2, 0, length / 2 + _SKIRT
        while empty < _GAP and position < length / 2 + _BEYOND * height:
            u = direction * np.arange(position + 1, position + _STEP * height + 1, 2.0)
            x, y = (middle + np.multiply.outer(u, along)[:, None] + np.multiply.outer(offsets, across)[None]).transpose(2, 0, 1)
            column, row = np.floor(x / 2).astype(int), np.floor(y / 2).astype(int)
            is_inside = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
            if not is_inside[:, in_line].any():
                break
            seen = np.where(is_inside, line[np.clip(row, 0, rows - 1), np.clip(column, 0, columns - 1)], 0)
            here, there = float(seen[:, in_line].mean()), float(seen[:, beside].sum() / max(is_inside[:, beside].sum(), 1))
            position += _STEP * height
            if here >= max(_WEAK, _CLEARER * there + _MORE):
                reached, empty = position, 0
            else:
                empty += 1
        return reached

    before, after = end(-1.0), end(1.0)
    if before == after == length / 2:
        return box
    return replace(box, corners=box_between(box, (-before, -thick / 2), (after, thick / 2)))


def fitted(box: TextBox, same: np.ndarray[Any, np.dtype[np.bool_]]) -> TextBox:
    """Return the box as long and as high as the pixels of its one value reach along its line, which are many more than beside it.

    `same` (rows, columns) tells where the frame has that value. Where the value is too rare to fill the line (half-covered pixels have
    others) the box is only lengthened.
    """
    along, across, length, thick = axes_of(box)
    height, middle = max(thick, 4.0), box.corners.mean(axis=0)
    reach = length / 2 + _BEYOND * height
    low = np.maximum(np.floor(middle - reach), 0).astype(int)
    high = np.ceil(middle + reach).astype(int) + 1
    points = np.argwhere(same[low[1] : high[1], low[0] : high[0]])[:, ::-1] + low + 0.5
    if not len(points):
        return box
    place, off = ((points - middle) @ np.stack([along, across]).T).T
    in_line, beside = np.abs(off) <= height / 2 + 1, (np.abs(off) > height / 2 + _ASIDE) & (np.abs(off) <= 1.5 * height + 5)
    share = (height + 2) / (2 * (height + 5 - _ASIDE))  # of the line's area to that of the strips beside it
    edges = np.arange(-reach, reach + _STEP * height, _STEP * height)
    if same.sum() - in_line.sum() > _COMMON * same.size:
        return box
    line, chance = np.histogram(place[in_line], edges)[0], share * np.histogram(place[beside], edges)[0]
    is_inked = line >= np.maximum(_LEAST, _DENSER * (chance + 0.5))
    own = np.flatnonzero(is_inked & (edges[1:] > -length / 2) & (edges[:-1] < length / 2))
    if not own.size:
        return box
    first, last = _followed(is_inked[::-1], len(is_inked) - 1 - own[0]), _followed(is_inked, own[-1])
    first = len(is_inked) - 1 - first
    reached = place[in_line & (place >= edges[first]) & (place <= edges[last + 1])]
    left, right = float(reached.min()) - 0.5, float(reached.max()) + 0.5
    within = (place >= left) & (place <= right)
    if (in_line & within).sum() < _FULL * (right - left) * thick:
        return replace(box, corners=box_between(box, (min(left, -length / 2), -thick / 2), (max(right, length / 2), thick / 2)))
    top, bottom = _height(off[within], height, share)
    fringe = _FRINGE if min(abs(along)) < 1e-3 else 1.5 * _FRINGE
    corners = box_between(box, (left - fringe, top - fringe), (right + fringe, bottom + fringe))
    return replace(box, corners=corners, slack=1.0)


def _followed(is_inked: np.ndarray[Any, Any], start: int) -> int:
    """Return the last step with ink that is reached from a step without crossing a gap."""
    reached = position = start
    while position + 1 < len(is_inked) and position - reached < _GAP:
        position += 1
        reached = position if is_inked[position] else reached
    return int(reached)


def _height(off: Points, height: float, share: float) -> tuple[float, float]:
    """Return from where to where across a line there are more pixels of its value than beside it."""
    edges = np.arange(-np.ceil(height / 2 + _ASIDE), np.ceil(height / 2 + _ASIDE) + 1)
    beside = ((np.abs(off) > height / 2 + _ASIDE) & (np.abs(off) <= 1.5 * height + 5)).sum() * share / (height + 2)
    rows = np.histogram(off, edges)[0]
    inked = np.flatnonzero(rows >= max(2.0, _DENSER * beside))
    if not inked.size:
        return -height / 2, height / 2
    return float(edges[inked[0]]), float(edges[inked[-1] + 1])
