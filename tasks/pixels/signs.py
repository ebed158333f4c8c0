"""Signs of ink, pixel by pixel: what the ink network is shown of a frame.

The network itself (`network`) and what is made of its answer (`regions`) do not belong here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.pixels.views import Image8

Values = np.ndarray[Any, np.dtype[Any]]
Real = np.ndarray[Any, np.dtype[np.float32]]

# One of each pair of opposite neighbours among the 24 nearest pixels.
_NEIGHBOURS = ((0, 1), (0, 2), *((dy, dx) for dy in (1, 2) for dx in (-2, -1, 0, 1, 2)))
_TAIL = 0.05  # per cent of the values at either end that may be cut off
_SPREAD, _STROKE = 5.0, 11  # pixels: the neighbourhood that contrast is measured in; more than a stroke is wide


def grey_of(frame: Values, plain: Image8) -> Real:
    """Return a frame as grey levels (rows, columns): its outer percentiles lie at 0 and 255, values beyond by up to 50 levels are kept.

    A colour counts as the mean of its luminance and its strongest primary, so that text in any colour stands out from a grey ground.
    """
    import cv2

    if plain.ndim == 3:
        return np.asarray((cv2.cvtColor(plain, cv2.COLOR_RGB2GRAY).astype(np.float32) + plain.max(axis=2)) / 2, np.float32)
    values = frame.astype(np.float32) if frame.ndim == 2 else plain.astype(np.float32)
    if not np.isfinite(values).all():
        values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = (float(v) for v in np.percentile(values.ravel()[:: max(values.size // 65536, 1)], (_TAIL, 100 - _TAIL)))
    if high <= low:
        low, high = float(values.min()), float(values.max())
    if high <= low:
        return np.zeros(values.shape, np.float32)
    return np.asarray(np.clip((values - low) * (255 / (high - low)), -50, 305), np.float32)


def signs_of(values: Values, grey: Real, drawn: np.ndarray[Any, np.dtype[np.bool_]] | None) -> Real:
    """Return six planes (6, rows, columns), each about -1 to 1.

    Grey level; contrast against the neighbourhood; strokes (what opening and closing take away, so that the edges of the picture leave no
    trace); how many near pixels have exactly the same value; how many nearly; exact ink. `values` are the stored values, one integer each.
    """
    import cv2

    mean = cv2.GaussianBlur(grey, (0, 0), _SPREAD)
    deviation = np.sqrt(np.maximum(cv2.GaussianBlur(grey * grey, (0, 0), _SPREAD) - mean * mean, 0))
    contrast = np.clip((grey - mean) / (deviation + 0.3), -3, 3) / 2
    same, near = _repeats(values, grey, np.maximum(0.12 * deviation, 0.05).astype(np.float32))
    ink = np.zeros(grey.shape, np.float32) if drawn is None else drawn.astype(np.float32)
    planes = [grey / 127.5 - 1, contrast, _strokes(grey), same / np.float32(12) - 1, near / np.float32(12) - 1, ink]
    return np.stack(planes).astype(np.float32)


def _strokes(grey: Real) -> Real:
    """Return what is thinner than a stroke may be, in multiples of how much of that the wider neighbourhood holds."""
    import cv2

    window = np.ones((_STROKE, _STROKE), np.uint8)
    thin = grey - (cv2.morphologyEx(grey, cv2.MORPH_OPEN, window) + cv2.morphologyEx(grey, cv2.MORPH_CLOSE, window)) / 2
    size = np.abs(thin)
    usual = cv2.GaussianBlur(np.minimum(size, 2 * cv2.blur(size, (9, 9)) + np.float32(0.2)), (0, 0), 9)
    return np.asarray(np.clip(thin / (usual + 0.25), -5, 5) / 2.5, np.float32)


def _repeats(values: Values, grey: Real, tolerance: Real) -> tuple[Values, Values]:
    """Count, of the 24 nearest pixels, those of exactly the same value, and those of nearly the same grey level."""
    import cv2

    rows, columns = grey.shape
    same, near = np.zeros(grey.shape, np.uint8), np.zeros(grey.shape, np.uint8)
    for dy, dx in _NEIGHBOURS:
        here = slice(0, max(rows - dy, 0)), slice(max(-dx, 0), columns - max(dx, 0))
        there = slice(dy, rows), slice(max(dx, 0), columns - max(-dx, 0))
        if not grey[here].size:
            continue
        equal = (values[here] == values[there]).view(np.uint8)
        same[here] += equal
        same[there] += equal
        alike = (cv2.absdiff(np.ascontiguousarray(grey[here]), np.ascontiguousarray(grey[there])) <= tolerance[here]).view(np.uint8)
        near[here] += alike
        near[there] += alike
    return same, near
