"""Whether the ink of a region differs from what lies around the region: noise that the network takes for ink does not.

Finding regions (`regions`) and the other proofs that a region is text (`find`) do not belong here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.pixels.boxes import TextBox, axes_of
from tasks.pixels.signs import Real

Plane = np.ndarray[Any, np.dtype[np.bool_]]

_INKED, _LEAST_INKED = 0.4, 20  # probability from which a pixel counts as ink; pixels of it that say anything
_APART = 2.0  # pixels around a region that its strokes may still reach
_GROUND, _AROUND = 0.1, 0.5  # probability below which a pixel is ground, and line heights of it around a region
_SLOW = 5.0  # pixels over which the ground may change
_RATIO, _DEVIATIONS = 1.25, 5.0  # how much more frequent ink-like values are inside, and how far beyond chance


def stands_out(box: TextBox, grey: Real, ink: Real) -> bool:
    """Tell whether values like those of a region's ink are clearly rarer above the region than in it, or below it.

    `grey`: the frame (rows, columns); `ink`: the network's map at half its resolution. A region without surroundings does not stand out.
    """
    rows, columns = grey.shape
    along, across, length, height = axes_of(box)
    reach = max(height, 8.0) + _APART
    left, top = np.maximum(np.floor(box.corners.min(axis=0) - reach), 0).astype(int)
    right, bottom = np.minimum(np.ceil(box.corners.max(axis=0) + reach), (columns, rows)).astype(int)
    y, x = np.mgrid[top:bottom, left:right]
    offset = np.stack([x, y], axis=-1) + 0.5 - box.corners.mean(axis=0)
    aside = offset @ across
    beyond = np.maximum(np.abs(offset @ along) - length / 2, np.abs(aside) - height / 2)
    values, inside, around = grey[top:bottom, left:right], beyond <= 0, (beyond > _APART) & (beyond <= reach)
    inked = inside & (ink[y // 2, x // 2] > _INKED)
    if inked.sum() < _LEAST_INKED or (inside & ~inked).sum() < _LEAST_INKED:
        return False
    of_ink, ground = float(values[inked].mean()), float(values[inside & ~inked].mean())
    middle = (of_ink + ground) / 2
    like_ink = values > middle if of_ink > ground else values < middle
    return any(_is_rarer(like_ink, inside, around & side) for side in (aside < 0, aside > 0))


def _is_rarer(like_ink: Plane, inside: Plane, beside: Plane) -> bool:
    if beside.sum() < inside.sum() / 4:
        return False
    here, there = float(like_ink[inside].mean()), float(like_ink[beside].mean())
    chance = np.sqrt(here * (1 - here) / inside.sum() + there * (1 - there) / beside.sum())
    return bool(here > _RATIO * there and here - there > _DEVIATIONS * chance)


def distinctness(box: TextBox, grey: Real, ink: Real) -> float:
    """Return by how many deviations of their ground's grain the clearest third of a region's strokes differ from it; 0 without strokes.

    Folds, noise and compression that the network takes for ink reach 2, seldom 5. Arguments as in `stands_out`.
    """
    import cv2

    rows, columns = grey.shape
    along, across, length, height = axes_of(box)
    reach = _AROUND * max(height, 8.0) + _APART
    left, top = np.maximum(np.floor(box.corners.min(axis=0) - reach), 0).astype(int)
    right, bottom = np.minimum(np.ceil(box.corners.max(axis=0) + reach), (columns, rows)).astype(int)
    if right <= left or bottom <= top:
        return 0.0
    y, x = np.mgrid[top:bottom, left:right]
    offset = np.stack([x, y], axis=-1) + 0.5 - box.corners.mean(axis=0)
    beyond = np.maximum(np.abs(offset @ along) - length / 2, np.abs(offset @ across) - height / 2)
    values, near = grey[top:bottom, left:right], ink[y // 2, x // 2]
    inked, bare = (beyond <= 0) & (near > _INKED), near < _GROUND
    ground = bare & (beyond <= reach)
    if inked.sum() < _LEAST_INKED or ground.sum() < _LEAST_INKED:
        return 0.0
    counts = bare.astype(np.float32)
    slow = cv2.GaussianBlur(values * counts, (0, 0), _SLOW) / np.maximum(cv2.GaussianBlur(counts, (0, 0), _SLOW), 1e-3)
    grain = float((values - slow)[ground].std()) + 0.3
    strokes = np.sort(np.abs(values - slow)[inked])
    return float(strokes[-max(len(strokes) // 3, 1) :].mean()) / grain
