"""How much any part of a body's surface looks like a face: its relief against that of the average head, wherever it lies.

Needs no model and no head frame: the skin is seen from each side as a depth map, and in every window as large as a face what
remains after a quadratic is compared with what remains of the average face. Deciding belongs to `proof` and `plan`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from tasks.deface.relief import RELIEF_LIMIT_MM
from tasks.deface.template import load_template
from tasks.deface.volume import Values

GRID_MM = 3.0
HALF_WIDTH_MM, LOW_MM, HIGH_MM = 42.0, -108.0, -15.0
"""The window of eyes, nose and mouth in the head frame."""
SIZES = (0.85, 1.0, 1.15)
COVERAGE = 0.5  # of a window's columns must have skin
NEAR_MM = 26.0  # skin further from the window's median is another part of the body
LEAST_DEPTH = 0.35  # of the average face's relief; flatter things are alike by chance (kneecaps 0.18, faces 0.63 and more)
STRIDE = 3
_EDGE = 1e-6

Map = NDArray[np.float32]


def face_likeness(values: Values, levels: Sequence[float]) -> float:
    """Return the greatest correlation (0..1) of any window's relief with a face's, over four sides of an upright volume at GRID_MM."""
    sides = [np.rot90(values, turns, (1, 2)) for turns in range(4)]
    return max((_best(depth_map(side, level, GRID_MM)) for side in sides for level in levels), default=0.0)


def depth_map(values: Values, level: float, step_mm: float) -> Map:
    """Return [z, x] millimetres to where each column rises over `level` for two voxels, from low y; NaN where it never does."""
    over = values > level
    lasting = over[:, :-1] & over[:, 1:]
    found = lasting.any(axis=1)
    first = lasting.argmax(axis=1)
    at = np.take_along_axis(values, first[:, None, :], axis=1)[:, 0, :]
    before = np.take_along_axis(values, np.maximum(first - 1, 0)[:, None, :], axis=1)[:, 0, :]
    rise = np.clip((at - level) / np.maximum(at - before, _EDGE), 0, 1)
    # what begins at the edge of the field of view was cut there: it is no skin
    return np.where(found & (first > 0), (first - rise) * step_mm, np.nan).astype(np.float32)


@lru_cache(maxsize=len(SIZES))
def _average_face(size: float) -> tuple[Map, Map]:
    """Depths of the average face in a window `size` times its own, and the six terms of a quadratic at each of its points."""
    from scipy import ndimage

    head = load_template().head
    x = np.arange(-HALF_WIDTH_MM, HALF_WIDTH_MM + 0.1, GRID_MM / size)
    z = np.arange(LOW_MM, HIGH_MM + 0.1, GRID_MM / size)
    depth = depth_map(head.values, 40.0, head.spacing_mm[1])
    filled = np.where(np.isfinite(depth), depth, np.nanmax(depth))
    origin, step = head.to_patient[:3, 3], head.spacing_mm[0]
    index = np.meshgrid((z - origin[2]) / step, (x - origin[0]) / step, indexing="ij")
    face = ndimage.map_coordinates(filled, index, order=1, mode="nearest") * size
    v, u = np.meshgrid(np.linspace(-1, 1, len(z)), np.linspace(-1, 1, len(x)), indexing="ij")
    terms = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=-1)
    return face.astype(np.float32), terms.astype(np.float32)


def _best(depth: Map) -> float:
    best = 0.0
    for size in SIZES:
        face, terms = _average_face(size)
        rows, columns = face.shape
        padded = np.pad(depth, [(rows // 2, rows // 2), (columns // 2, columns // 2)], constant_values=np.nan)
        windows = sliding_window_view(padded, face.shape)[::STRIDE, ::STRIDE].reshape(-1, rows * columns)
        windows = windows[np.isfinite(windows).mean(axis=1) >= COVERAGE]
        if len(windows):
            best = max(best, float(_alike(windows, face.ravel(), terms.reshape(-1, 6)).max()))
    return best


def _alike(windows: Map, face: Map, terms: Map) -> Map:
    """Correlate each window's residual with the face's, both after a quadratic over the skin that is there; 0 where that is flat."""
    near = np.abs(windows - np.nanmedian(windows, axis=1, keepdims=True)) < NEAR_MM
    there = near.astype(np.float64)
    products = (terms[:, :, None] * terms[:, None, :]).reshape(len(terms), 36).astype(np.float64)
    normal = (there @ products).reshape(-1, 6, 6) + np.eye(6) * _EDGE

    def residual(heights: NDArray[np.float64]) -> NDArray[np.float64]:
        solved = np.linalg.solve(normal, (heights @ terms)[..., None])[..., 0]
        return np.asarray(there * (heights - solved @ terms.T), dtype=np.float64)

    own, average = residual(np.where(near, windows, 0).astype(np.float64)), residual(there * face)
    own_square, average_square, product = ((a * b).sum(axis=1) for a, b in ((own, own), (average, average), (own, average)))
    rms = np.sqrt(own_square / np.maximum(there.sum(axis=1), 1))
    deep = (rms >= RELIEF_LIMIT_MM) & (product >= LEAST_DEPTH * average_square) & (there.mean(axis=1) >= COVERAGE)
    return np.where(deep, product / np.maximum(np.sqrt(own_square * average_square), _EDGE), 0.0).astype(np.float32)
