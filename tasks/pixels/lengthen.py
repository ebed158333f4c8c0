"""Lines followed to their ends in the network's map, where it was not sure of every letter.

Finding the line (`regions`), following pixels of one exact value (`one_value`) and proving that it is text (`find`) do not belong here.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tasks.pixels.boxes import TextBox, axes_of, box_between
from tasks.pixels.signs import Real

_BEYOND = 12.0  # line heights looked at beyond either end
_STEP, _GAP = 0.5, 3  # line heights; steps without ink after which a line has ended
_WEAK, _CLEARER, _MORE = 0.08, 2.5, 0.03  # probability of a line that still leads on: this, times that beside it, and as much more
_SURELY = 0.6  # or this, whatever lies beside it
_LEAST_HEIGHT = 6.0  # pixels
_ASIDE_STEP = 0.12  # line heights by which a line may turn aside, once or twice in a step
_STRAIGHT = 4.0  # line heights from which a piece tells the direction of its line
_FALLING = 0.15  # probability of a line to which the map falls behind its last letter
_LETTER = 1.0  # line heights
_WITHIN, _STILL = 4.0, 0.8  # line heights before an end, and of the greatest probability there: where the line is still itself
_FADING, _UNSEEN = 0.8, 4.0  # line heights over which an end that fades does so, and that may be unseen behind it
_MOVED, _LONG, _MOST = 0.1, 2.0, 0.045  # line heights that such a line goes on and is long, and of the frame's side: no more is unseen
_SKIRT = 2  # samples more over which it falls off


def lengthened(box: TextBox, line: Real) -> TextBox:
    """Return the box lengthened while the network's map of lines (at half the resolution) stays above what it is beside the line.

    A short piece tells the direction of its line badly: what follows may lie a little aside, step by step, and turns the box. Where text
    ends, the map falls within a letter. Where it fades away the ground hides the letters, and the line goes on for as long again.
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
    within = min(int(_WITHIN * height / 2), int(length / 4))  # samples before the end, where the line is at its surest
    places = length / 2 + 1 + 2.0 * np.arange(-within, int(_BEYOND * height / 2) // step * step)
    offsets = np.arange(-int(2.5 * height / 2) - 2, int(2.5 * height / 2) + 3) * 2.0
    x, y = (np.multiply.outer(direction * places, along)[:, None] + np.multiply.outer(offsets, across)).transpose(2, 0, 1)
    column, row = (np.floor((v + m) / 2).astype(int) for v, m in zip((x, y), box.corners.mean(axis=0), strict=True))
    is_inside = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
    seen = np.where(is_inside, line[np.clip(row, 0, rows - 1), np.clip(column, 0, columns - 1)], 0)
    inner = seen[: within + 1, np.abs(offsets) <= height / 2].mean(axis=1)
    full = float(places[np.flatnonzero(inner >= _STILL * inner.max())[-1]])  # to here the network is as sure as anywhere
    places, seen, is_inside = places[within:], seen[within:], is_inside[within:]
    falling = seen[:, np.abs(offsets) <= height / 2].mean(axis=1) < _FALLING
    own = int(falling.argmax()) if falling.any() else 0  # samples of a last letter that the network is less sure of
    own = min(own, int(_LETTER * height / 2))  # what goes on for longer is another line, running across
    reached, aside, shift, empty = length / 2 + 2.0 * own, 0.0, 0.0, 0
    for first in range(own + _SKIRT, len(places) - step + 1, step):
        here, inside = seen[first : first + step].mean(axis=0), is_inside[first : first + step].mean(axis=0)
        best, beside = -1.0, 0.0
        for more in (0.0,) if length > _STRAIGHT * height else (0.0, -1.0, 1.0, -2.0, 2.0):
            off = np.abs(offsets - shift - more * _ASIDE_STEP * height)
            own_rows = off <= height / 2  # none where the line has turned aside for too long
            level = float(here[own_rows].mean()) - 0.02 * abs(more) if own_rows.any() else -1.0
            if level > best:
                best, chosen = level, shift + more * _ASIDE_STEP * height
                around = (off > height / 2 + 4) & (off <= 1.5 * height + 4)
                beside = float(here[around].sum() / max(inside[around].sum(), 1))
        if not inside[np.abs(offsets - chosen) <= height / 2].any():
            break
        if best >= max(_WEAK, min(_CLEARER * beside + _MORE, _SURELY)):
            reached, aside, shift, empty = float(places[first + step - 1]) + 1, chosen, chosen, 0
            full = reached if best >= _STILL * inner.max() else full
        elif (empty := empty + 1) == _GAP:
            break
    fading, is_moved = reached - full, reached > length / 2 + _MOVED * height
    if fading >= _FADING * height and is_moved and length >= _LONG * height:
        reached += min(fading, _UNSEEN * height, _MOST * 2 * max(rows, columns))
    return reached, aside
