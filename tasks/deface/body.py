"""What is tissue in a coarse upright volume, and whether its size already says that it is no head.

Fast: every CT, MR and PET series passes here. Registration and faces do not belong here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tasks.deface.volume import Values, Volume

Mask = NDArray[np.bool_]

AIR_HU = -300.0
HEAD_BREADTH_MM = 245.0
"""No head is this wide, ears and mask mesh included (largest bitragal breadths are near 165 mm, ear to ear 200 mm)."""
HEAD_DEPTH_MM = 320.0
"""Nor is a level of a head this deep, nose, nape and a bent neck included (largest head lengths are near 220 mm)."""
CUT_SHARE = 0.25
TORSO_AREA_MM2 = 36_000.0
"""Nor does a level through a head have this area (a head of 180 x 230 mm has 32,500)."""


@dataclass(frozen=True, slots=True)
class Body:
    """The tissue of an upright volume and the threshold that told it from air."""

    upright: Volume
    mask: Mask = field(repr=False)  # same grid, largest connected body, filled level by level
    threshold: float


def tissue_threshold(values: Values, is_ct: bool) -> float:
    """Return the value between air and tissue: fixed for CT; for MR and PET well below the median of what Otsu calls bright."""
    if is_ct:
        return AIR_HU
    finite = values[np.isfinite(values)]
    top = float(np.percentile(finite, 99.5))
    bottom = float(np.percentile(finite, 0.5))
    if top <= bottom:
        return top + 1.0
    counts, edges = np.histogram(np.clip(finite, bottom, top), bins=128)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    mean_below = np.cumsum(counts * centres) / np.maximum(below, 1)
    mean_above = (np.sum(counts * centres) - np.cumsum(counts * centres)) / np.maximum(above, 1)
    otsu = float(centres[int(np.argmax(below * above * (mean_below - mean_above) ** 2))])
    bright = finite[finite > otsu]
    background = finite[finite <= otsu]
    noise = float(np.percentile(background, 50)) if background.size else bottom
    return float(noise + 0.35 * ((float(np.median(bright)) if bright.size else top) - noise))


def find_body(upright: Volume, is_ct: bool) -> Body:
    """Tell tissue from air on an upright grid; the couch and loose parts are dropped by an opening and by size."""
    from scipy import ndimage

    threshold = tissue_threshold(upright.values, is_ct)
    raw = upright.values > threshold
    radius = max(1, round(6.0 / upright.spacing_mm[0]))
    opened = ndimage.binary_opening(raw, iterations=radius) if min(raw.shape) > 2 * radius else raw
    labels, count = ndimage.label(opened)
    if not count:
        return Body(upright, np.zeros_like(raw), threshold)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    body = labels == int(np.argmax(sizes))
    body = ndimage.binary_dilation(body, iterations=radius) & raw
    filled = np.stack([ndimage.binary_fill_holes(level) for level in body])
    return Body(upright, filled, threshold)


def is_torso(body: Body) -> bool:
    """True when every level that holds tissue is far wider or deeper than any head: chest, abdomen, pelvis, the length of a limb.

    PRIVACY: one level that a head could have is enough for False (test_face_plan.py).
    """
    step = body.upright.spacing_mm[0]
    levels = body.mask.any(axis=(1, 2))
    return bool(levels.any()) and all(
        level.sum() * step * step >= TORSO_AREA_MM2
        and (_extent(level, 0) * step >= HEAD_BREADTH_MM or _extent(level, 1) * step >= HEAD_DEPTH_MM)
        for level in body.mask[levels]
    )


def is_cut_at_top(body: Body, valid: Mask) -> bool:
    """True when the field of view ends above in tissue over a good part of the body: a head there lacks its vault."""
    columns = body.mask.any(axis=0)
    if not columns.any():
        return False
    top = len(body.mask) - 1 - body.mask[::-1].argmax(axis=0)
    above = np.take_along_axis(np.pad(valid, ((0, 2), (0, 0), (0, 0))), np.minimum(top + 2, len(valid) + 1)[None], axis=0)[0]
    return float((columns & ~above).sum() / columns.sum()) >= CUT_SHARE


def _extent(level: Mask, axis: int) -> int:
    there = np.flatnonzero(level.any(axis=axis))
    return int(there[-1] - there[0] + 1)
