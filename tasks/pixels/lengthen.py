"""Lines fitted to their ink: followed to their ends where the network was not sure of every letter, cut down to pixels of one exact value.

Finding the line (`regions`) and proving that it is text (`find`) do not belong here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tasks.pixels.boxes import Points, TextBox, axes_of, box_between
from tasks.pixels.signs import Real

_BEYOND = 12.0  # line heights looked at beyond either end
_STEP, _GAP = 0.5, 3  # line heights; steps without ink after which a line has ended
_LEAST, _DENSER = 4, 4.0  # pixels of the value in a step of a line, and times as many as beside the line
_COMMON = 0.02  # of the frame outside the line: a value this frequent leads anywhere
_FULL = 0.12  # of a box has its one value: enough to tell where the line begins and ends
_NEARLY = 0.85  # of a box's height: pixels of its value that reach so far do not say that it is too high
_HIGHER = 3.0  # pixels by which a line may be higher than its box
_WEAK, _CLEARER, _MORE = 0.08, 2.5, 0.03  # probability of a line that still leads on: this, times that beside it, and as much more
_SURELY = 0.6  # or this, whatever lies beside it
_LEAST_HEIGHT = 6.0  # pixels
_ASIDE_STEP = 0.12  # line heights by which a line may turn aside, once or twice in a step
_STRAIGHT = 4.0  # line heights from which a piece tells the direction of its line
_FALLING = 0.15  # probability of a line to which the map falls behind its last letter
_LETTER = 1.0  # line heights
_SKIRT = 2  # samples more over which it falls off
_FRINGE = 1.0  # pixels of half-covered ink around full ink


def lengthened(box: TextBox, line: Real) -> TextBox:
    """Return the box lengthened while the network's map of lines (at half the resolution) stays above what it is beside the line.

    A short piece tells the direction of its line badly: what follows may lie a little aside, step by step, and turns the box.
    """
    _, _, length, thick = axes_of(box)
    (before, down), (after, up) = _followed_map(box, line, -1.0), _followed_map(box, line, 1.0)
    if before == after == length / 2:
        return box
    if max(abs(down), abs(up)) <= _ASIDE_STEP * max(thick, _LEAST_HEIGHT):
        return replace(box, corners=box_between(box, (-before, -thick / 2), (after, thick / 2)))
    slope = (up - down) / (before + after)  # of the line through both ends; the box stays as high as it must be to hold itself
    middle = down + slope * before
    thick += 2 * min(max(abs(middle - slope * length / 2), abs(middle + slope * length / 2)), thick / 4)
    low, high = np.array([-before, down], np.float32), np.array([after, up], np.float32)
    aside = np.array([-slope, 1.0], np.float32) / np.float32(np.hypot(1, slope)) * np.float32(thick / 2)
    along, across, _, _ = axes_of(box)
    corners = np.stack([low - aside, high - aside, high + aside, low + aside]) @ np.stack([along, across]) + box.corners.mean(axis=0)
    return replace(box, corners=corners.astype(np.float32))


def _followed_map(box: TextBox, line: Real, direction: float) -> tuple[float, float]:
    """Return how far from the middle of a box its line goes on in the map of lines, and how far aside it is there."""
    along, across, length, thick = axes_of(box)
    height, (rows, columns) = max(thick, _LEAST_HEIGHT), line.shape
    step = max(int(_STEP * height / 2), 2)  # in samples, one for two pixels
    places = length / 2 + 1 + 2.0 * np.arange(int(_BEYOND * height / 2) // step * step)
    offsets = np.arange(-int(2.5 * height / 2) - 2, int(2.5 * height / 2) + 3) * 2.0
    x, y = (np.multiply.outer(direction * places, along)[:, None] + np.multiply.outer(offsets, across)).transpose(2, 0, 1)
    column, row = (np.floor((v + m) / 2).astype(int) for v, m in zip((x, y), box.corners.mean(axis=0), strict=True))
    is_inside = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
    seen = np.where(is_inside, line[np.clip(row, 0, rows - 1), np.clip(column, 0, columns - 1)], 0)
    falling = seen[:, np.abs(offsets) <= height / 2].mean(axis=1) < _FALLING
    own = int(falling.argmax()) if falling.any() else 0  # samples of a last letter that the network is less sure of
    own = min(own, int(_LETTER * height / 2))  # what goes on for longer is another line, running across
    reached, aside, shift, empty = length / 2 + 2.0 * own, 0.0, 0.0, 0
    for first in range(own + _SKIRT, len(places) - step + 1, step):
        here, inside = seen[first : first + step].mean(axis=0), is_inside[first : first + step].mean(axis=0)
        best, beside = -1.0, 0.0
        for more in (0.0,) if length > _STRAIGHT * height else (0.0, -1.0, 1.0, -2.0, 2.0):
            off = np.abs(offsets - shift - more * _ASIDE_STEP * height)
            level = float(here[off <= height / 2].mean()) - 0.02 * abs(more)
            if level > best:
                best, chosen = level, shift + more * _ASIDE_STEP * height
                around = (off > height / 2 + 4) & (off <= 1.5 * height + 4)
                beside = float(here[around].sum() / max(inside[around].sum(), 1))
        if not inside[np.abs(offsets - chosen) <= height / 2].any():
            break
        if best >= max(_WEAK, min(_CLEARER * beside + _MORE, _SURELY)):
            reached, aside, shift, empty = float(places[first + step - 1]) + 1, chosen, chosen, 0
        elif (empty := empty + 1) == _GAP:
            break
    return reached, aside


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
    in_line, beside = np.abs(off) <= height / 2 + 1, (np.abs(off) > height / 2 + _HIGHER) & (np.abs(off) <= 1.5 * height + 5)
    share = (height + 2) / (2 * (height + 5 - _HIGHER))  # of the line's area to that of the strips beside it
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
    fringe = _FRINGE if min(abs(along)) < 1e-3 else 1.5 * _FRINGE
    top, bottom = _height(off[within], height, share)
    if bottom - top > _NEARLY * thick:  # dots and accents are few pixels: the network knows them as ink
        top, bottom = min(top, -thick / 2 + fringe), max(bottom, thick / 2 - fringe)
    corners = box_between(box, (left - fringe, top - fringe), (right + fringe, bottom + fringe))
    return replace(box, corners=corners, slack=2.0)


def _followed(is_inked: np.ndarray[Any, Any], start: int) -> int:
    """Return the last step with ink that is reached from a step without crossing a gap."""
    reached = position = start
    while position + 1 < len(is_inked) and position - reached < _GAP:
        position += 1
        reached = position if is_inked[position] else reached
    return int(reached)


def _height(off: Points, height: float, share: float) -> tuple[float, float]:
    """Return from where to where across a line there are more pixels of its value than beside it."""
    edges = np.arange(-np.ceil(height / 2 + _HIGHER), np.ceil(height / 2 + _HIGHER) + 1)
    beside = ((np.abs(off) > height / 2 + _HIGHER) & (np.abs(off) <= 1.5 * height + 5)).sum() * share / (height + 2)
    rows = np.histogram(off, edges)[0]
    inked = np.flatnonzero(rows >= max(2.0, _DENSER * beside))
    if not inked.size:
        return -height / 2, height / 2
    return float(edges[inked[0]]), float(edges[inked[-1] + 1])
