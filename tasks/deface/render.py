"""Pictures of the skin of a volume, as a person or a face detector would see it: several levels, several views.

Renders are kept in memory and never written by the pipeline. Detecting faces in them belongs to `detectors`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.deface.volume import Values

VIEWS = ((0.0, 0.0), (15.0, 0.0), (-15.0, 0.0), (35.0, 0.0), (-35.0, 0.0), (0.0, 12.0), (0.0, -12.0))
"""(yaw, pitch) in degrees about the middle of the volume."""
IMAGE_SIZE = 320
SMOOTHING_MM = 2.0  # rings of the grid and noise make detectors see faces on fruit
AROUND = 0.5
"""Black around a head on each side, as a share of it: without it detectors see faces on backs of heads (tests/bench/faces.py)."""
HOLE_PIXELS, HOLE_DEPTH_MM = (7, 7), 4.0
"""Thin scalp over dark bone opens at high levels; such holes pass for eyes, so what is narrower and deeper is closed."""
CT_LEVELS = (-600.0, -300.0, -100.0)
MR_LEVELS = (0.5, 1.0, 1.3)  # times the threshold between air and tissue

Image = NDArray[np.uint8]


def skin_levels(threshold: float, is_ct: bool) -> tuple[float, ...]:
    """Return the values at which skin is rendered."""
    return CT_LEVELS if is_ct else tuple(level * threshold for level in MR_LEVELS)


def picture_box(shape: tuple[int, ...], low: tuple[float, float], high: tuple[float, float]) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom in a picture without margin of what lies between (x, z) indices of a volume [z, y, x]."""
    scale = IMAGE_SIZE / max(shape[0], shape[2])
    left, top = ((IMAGE_SIZE - round(side * scale)) // 2 for side in (shape[2], shape[0]))
    bottom = top + round(shape[0] * scale)
    return (left + round(low[0] * scale), bottom - round(high[1] * scale), left + round(high[0] * scale), bottom - round(low[1] * scale))


def render_views(
    values: Values, step_mm: float, levels: Sequence[float], views: Sequence[tuple[float, float]] = VIEWS, margin: float = 0.0
) -> Iterator[Image]:
    """Yield one grey picture per view and level of an upright volume [z, y, x] seen from the front (from low y), top up.

    Lit from the viewer's side, which shows detectors more faces and fewer that are none than light from above. `margin` is what
    stays black on each side of the volume, as a share of its larger side.
    """
    from scipy import ndimage

    low = float(values.min())
    values = ndimage.gaussian_filter(values, SMOOTHING_MM / step_mm)
    for yaw, pitch in views:
        turned = values if not yaw and not pitch else _turned(values, yaw, pitch, low)
        for level in levels:
            yield _shaded(turned, level, step_mm, margin)


def _turned(values: Values, yaw: float, pitch: float, outside: float) -> Values:
    from scipy import ndimage

    a, b = np.radians(pitch), np.radians(yaw)
    about_x = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1.0]])
    about_z = np.array([[1.0, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    matrix = about_z @ about_x
    middle = (np.array(values.shape) - 1) / 2
    return np.asarray(
        ndimage.affine_transform(values, matrix, middle - matrix @ middle, order=1, mode="constant", cval=outside, prefilter=False),
        dtype=np.float32,
    )


def _shaded(values: Values, level: float, step_mm: float, margin: float) -> Image:
    import cv2
    from scipy import ndimage

    over = values > level
    lasting = over.copy()
    lasting[:, :-1] &= over[:, 1:]
    found = lasting.any(axis=1)
    picture = np.zeros((IMAGE_SIZE, IMAGE_SIZE), dtype=np.uint8)
    if not found.any():
        return picture
    first = lasting.argmax(axis=1)
    at = np.take_along_axis(values, first[:, None, :], axis=1)[:, 0, :]
    before = np.take_along_axis(values, np.maximum(first - 1, 0)[:, None, :], axis=1)[:, 0, :]
    rise = np.where(first > 0, np.clip((at - level) / np.maximum(at - before, 1e-6), 0, 1), 0)
    nearest = ndimage.distance_transform_edt(~found, return_distances=False, return_indices=True)
    depth = ((first - rise) * step_mm).astype(np.float32)[tuple(nearest)]  # no bright rim where the surface ends
    whole = ndimage.grey_opening(depth, HOLE_PIXELS)
    depth = np.where(depth - whole > HOLE_DEPTH_MM, whole, depth)
    height, width = depth.shape
    scale = IMAGE_SIZE / max(height, width) / (1 + 2 * margin)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    depth = cv2.resize(cv2.medianBlur(depth, 3), size, interpolation=cv2.INTER_CUBIC)
    depth = cv2.GaussianBlur(depth, (0, 0), max(0.3, 0.8 * scale))
    rows, columns = np.gradient(depth, step_mm / scale)
    share = cv2.resize(found.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    grey = (240 * share / np.sqrt(rows**2 + columns**2 + 1)).astype(np.uint8)[::-1]
    top, left = (IMAGE_SIZE - size[1]) // 2, (IMAGE_SIZE - size[0]) // 2
    picture[top : top + size[1], left : left + size[0]] = grey
    return picture
