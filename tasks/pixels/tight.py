"""Tight regions: a box is cut down to its ink where that stands clearly out of its ground, so that no more is blanked than must be.

Whether a box is text (`find`) and where its line ends (`lines`) does not belong here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tasks.pixels.boxes import TextBox
from tasks.pixels.ink import Mask
from tasks.pixels.lines import Patch, patch_around
from tasks.pixels.views import Image8

_LEAST_INK = 0.03  # of a box: less of it says nothing about where the text ends
_CLEAR = 8.0  # times denser than in the strips above and below: ink, not texture
_PAD = 3.0  # pixels kept around the outermost ink: softened edges, accents
_FLAT = 12.0  # grey levels by which strokes must differ from pixel to pixel
_STRAY = 1.3  # line heights without ink after which ink is no longer this line's
_QUIET = 1.2  # times the strips above and below: an end that holds no ink

Real = np.ndarray[Any, np.dtype[np.float32]]
Signs = np.ndarray[Any, np.dtype[np.bool_]]


def tighten(box: TextBox, lifted: Image8, drawn: Mask | None) -> TextBox:
    """Return the box cut down to the extent of its ink, a few pixels around it kept; unchanged where the ink is not clear.

    PRIVACY: a box is cut only by signs of ink that are many times denser inside than around, and an end only where it looks like the
    strips above and below, so that faint text keeps its box (tests/unit/test_pixels_tight.py).
    """
    patch = patch_around(box, 1.0)
    if patch is None:
        return box
    energies = [_energy(patch.cut(np.ascontiguousarray(lifted[..., plane])).astype(np.float32)) for plane in (0, 1)]
    signs = [_strong(energy, patch) for energy in energies]
    if drawn is not None:
        signs.append(patch.cut(drawn.astype(np.uint8), smooth=False) > 0)
        energies.append(signs[-1].astype(np.float32) * 100)
    strokes = [extent for sign in signs[:2] if (extent := _extent(sign, patch)) is not None]
    found = strokes + [extent for sign in signs[2:] if (extent := _extent(sign, patch)) is not None]
    if not strokes:
        return box  # exact ink alone may miss thin strokes
    edges = np.array(found)
    x0, y0, x1, y1 = patch.box
    left, top = max(edges[:, 0].min() - _PAD, x0), max(edges[:, 1].min() - _PAD, y0)
    right, bottom = min(edges[:, 2].max() + _PAD, x1), min(edges[:, 3].max() + _PAD, y1)
    rows = slice(int(top), int(np.ceil(bottom)))
    if not all(_is_quiet(energy, patch, rows, x0, left) for energy in energies):
        left = x0 - max(0.25 * (y1 - y0), _PAD)
    if not all(_is_quiet(energy, patch, rows, right, x1) for energy in energies):
        right = x1 + max(0.25 * (y1 - y0), _PAD)
    return replace(box, corners=patch.back(left, top, right, bottom), tight=True)


def _energy(seen: Real) -> Real:
    """Return how much each pixel differs from its neighbours to the left and above."""
    return np.maximum(np.abs(np.diff(seen, axis=1, prepend=seen[:, :1])), np.abs(np.diff(seen, axis=0, prepend=seen[:1])))


def _strong(energy: Real, patch: Patch) -> Signs:
    """Return where strokes differ more than the ground does."""
    x0, y0, x1, y1 = (max(int(v), 0) for v in patch.box)
    inside, around = energy[y0:y1, x0:x1], _strips(energy, patch, x0, x1)
    if not inside.size or not around.size:
        return np.zeros(energy.shape, bool)
    return np.asarray(energy > max(_FLAT, 1.2 * float(np.percentile(around, 99)), 0.25 * float(np.percentile(inside, 95))))


def _strips(plane: np.ndarray[Any, Any], patch: Patch, start: float, stop: float) -> np.ndarray[Any, Any]:
    """Return the strips above and below the box between two columns."""
    y0, y1 = int(patch.box[1]), int(patch.box[3])
    return np.concatenate([plane[: max(y0 - 2, 1), int(start) : int(stop)], plane[y1 + 2 :, int(start) : int(stop)]])


def _is_quiet(energy: Real, patch: Patch, rows: slice, start: float, stop: float) -> bool:
    """Tell whether no part of an end of the box, as long as a line is high, is busier than the strips above and below it."""
    import cv2

    inside, around = energy[rows, int(start) : int(stop)], _strips(energy, patch, start, stop)
    if not inside.size or not around.size:
        return True
    window = max(rows.stop - rows.start, 3)
    busiest = float(cv2.blur(np.ascontiguousarray(inside.mean(axis=0)[None]), (window, 1), borderType=cv2.BORDER_REPLICATE).max())
    return busiest <= _QUIET * float(around.mean()) + 0.3


def _extent(signs: Signs, patch: Patch) -> tuple[int, int, int, int] | None:
    """Return left, top, right, bottom of the ink inside the box; None when it is not clear."""
    x0, y0, x1, y1 = (max(int(v), 0) for v in patch.box)
    inside, around = signs[y0:y1, x0:x1], _strips(signs, patch, x0, x1)
    if not inside.size or not around.size or inside.mean() < max(_LEAST_INK, _CLEAR * float(around.mean())):
        return None
    rows = np.flatnonzero(inside.sum(axis=1) > np.percentile(around.sum(axis=1), 95))
    columns = np.flatnonzero(inside.any(axis=0))
    if not rows.size:
        return None
    runs = np.split(columns, np.flatnonzero(np.diff(columns) > _STRAY * (y1 - y0)) + 1)
    ink = inside.sum(axis=0)
    most = max(int(ink[run].sum()) for run in runs)
    runs = [run for run in runs if ink[run].sum() > 0.05 * most]
    return x0 + int(runs[0][0]), y0 + int(rows[0]), x0 + int(runs[-1][-1]) + 1, y0 + int(rows[-1]) + 1
