"""Rows of small separate shapes in exact ink: letters of any script, found without reading them.

Where exact ink comes from does not belong here (`ink`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.pixels.ink import Mask

Points = np.ndarray[Any, np.dtype[np.float32]]

_LEAST_GLYPHS = 5
_LEAST_AREA = 5
_MOST_ROWS = 12  # more of them are a texture
_ONE_VALUE = 0.8  # of a row's ink: a program writes with one value, noise on an even ground with many


def glyph_rows(drawn: Mask, values: np.ndarray[Any, Any]) -> list[Points]:
    """Return the corners of each row of at least five glyph-like shapes that share one exact value.

    `values` are the stored values (rows, columns). Ticks of a scale (straight lines), specks of noise and large shapes are no glyphs.
    """
    import cv2

    largest = max(0.1 * min(drawn.shape), 24)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(drawn.astype(np.uint8), connectivity=8)
    width, height, area = stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT], stats[:, cv2.CC_STAT_AREA]
    longest, shortest = np.maximum(width, height), np.minimum(width, height)
    glyph = (area >= _LEAST_AREA) & (longest >= 4) & (longest <= largest) & (shortest >= 2) & (area <= 0.8 * width * height + 6)
    glyph[0] = False
    if not _LEAST_GLYPHS <= int(glyph.sum()) <= 2000:  # thousands are a texture
        return []
    spread = values.ravel()[:: max(values.size // 65536, 1)]
    extremes = int(values.min()), int(values.max())
    least_step = 0.02 * float(np.percentile(spread, 99.5) - np.percentile(spread, 0.5))
    kept = glyph[labels]
    rows: list[Points] = []
    taken = np.zeros(drawn.shape, bool)
    for size in (9, 17, 33):  # gaps between letters grow with the letters
        near = (longest <= 1.6 * size) & glyph
        if int(near.sum()) < _LEAST_GLYPHS:
            continue
        part = near[labels] & ~taken
        joined = cv2.dilate(part.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size // 2 * 2 + 1,) * 2))
        groups, grouped, boxes, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
        for group in range(1, groups):
            x, y, w, h, _ = boxes[group]
            window = (slice(y, y + h), slice(x, x + w))
            inside = (grouped[window] == group) & kept[window]
            corners = _row(inside, labels[window], values[window], longest, extremes, least_step)
            if corners is not None:
                rows.append(corners + np.array([x, y], np.float32))
                taken[window] |= inside
    return rows if len(rows) <= _MOST_ROWS else []


def _row(
    inside: Mask,
    labels: np.ndarray[Any, Any],
    values: np.ndarray[Any, Any],
    longest: np.ndarray[Any, Any],
    extremes: tuple[int, int],
    least_step: float,
) -> Points | None:
    import cv2

    members = np.unique(labels[inside])
    if len(members) < _LEAST_GLYPHS:
        return None
    sizes = longest[members].astype(float)
    if np.median(sizes) * 2.2 < sizes.max() or np.median(sizes) < 5 or sizes.std() > 0.35 * sizes.mean():
        return None
    found, counts = np.unique(values[inside], return_counts=True)
    if counts.max() < _ONE_VALUE * inside.sum() or int(found[counts.argmax()]) in extremes:
        return None  # noise, or values cut off at the end of the scale
    if abs(float(found[counts.argmax()]) - float(np.median(values[~inside]) if not inside.all() else 0)) < least_step:
        return None  # the last bit of an even ground
    points = np.argwhere(inside)[:, ::-1].astype(np.float32)
    (cx, cy), (w, h), angle = cv2.minAreaRect(points)
    w, h = w + 1, h + 1
    if max(w, h) < 2.2 * min(w, h) or min(w, h) > 1.7 * float(np.median(sizes)) or not 0.08 < inside.sum() / (w * h) < 0.75:
        return None
    return np.asarray(cv2.boxPoints(((cx + 0.5, cy + 0.5), (w + 2, h + 2), angle)), np.float32)
