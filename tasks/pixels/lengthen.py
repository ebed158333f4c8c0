"""Lines of exact ink followed to their ends: a value that is known finds the letters that no detector was sure of.

Finding the line (`regions`) and proving that it is text (`find`) do not belong here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tasks.pixels.boxes import TextBox, axes_of

_BEYOND = 12.0  # line heights looked at beyond either end
_STEP, _GAP = 0.5, 3  # line heights; steps without ink after which a line has ended
_LEAST, _DENSER = 4, 4.0  # pixels of the value in a step of a line, and times as many as beside the line
_COMMON = 0.02  # of the frame: a value this frequent leads anywhere


def lengthened(box: TextBox, same: np.ndarray[Any, np.dtype[np.bool_]]) -> TextBox:
    """Return the box lengthened while pixels of its one value go on along its line, many more than beside it.

    `same` (rows, columns) tells where the frame has that value.
    """
    along, across, length, thick = axes_of(box)
    height, axes, middle = max(thick, 4.0), np.stack([along, across]), box.corners.mean(axis=0)
    reach = length / 2 + _BEYOND * height
    low = np.maximum(np.floor(middle - reach), 0).astype(int)
    high = np.ceil(middle + reach).astype(int) + 1
    points = np.argwhere(same[low[1] : high[1], low[0] : high[0]])[:, ::-1] + low
    if not len(points) or same.mean() > _COMMON:
        return box
    place, off = ((points - middle) @ axes.T).T
    in_line, beside = np.abs(off) <= height / 2 + 1, (np.abs(off) > height / 2 + 3) & (np.abs(off) <= 1.5 * height + 5)
    before = _end(-place[in_line], -place[beside], length / 2, height)
    after = _end(place[in_line], place[beside], length / 2, height)
    if before == after == length / 2:
        return box
    half = thick / 2
    corners = np.array([[-before, -half], [after, -half], [after, half], [-before, half]]) @ axes + middle
    return replace(box, corners=corners.astype(np.float32))


def _end(line: np.ndarray[Any, Any], beside: np.ndarray[Any, Any], start: float, height: float) -> float:
    """Return how far from the middle a line reaches: the farthest of its pixels in the last step that holds ink."""
    step = _STEP * height
    reached, position, empty = start, start, 0
    share = (height + 2) / (2 * height + 4)  # of the line's area to that of the strips beside it
    while empty < _GAP and position < start + _BEYOND * height:
        here = line[(line > position) & (line <= position + step)]
        chance = share * int(((beside > position) & (beside <= position + step)).sum())
        if len(here) >= max(_LEAST, _DENSER * (chance + 0.5)):
            reached, empty = float(here.max()) + 0.5, 0
        else:
            empty += 1
        position += step
    return reached
