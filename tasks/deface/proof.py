"""Proof that a body which no head frame explains is no head: smooth as a fruit, without any airway, or a chest up to its top.

Silence of detectors alone is no proof: they are blind to a face that is cut at the brow. Asking them belongs to `doubtful`.
"""

from __future__ import annotations

import numpy as np

from tasks.deface.body import Body

SMOOTH_LIMIT_MM = 5.0  # depth of the deepest dent of a level: faces 9 to 30, fruit, balls and legs 0 to 3
LEAST_LEVEL_MM2 = 2500.0
LEAST_AIR_MM3 = 1000.0
LUNG_MM3, NECK_MM = 300_000.0, 70.0


def cannot_be_head(body: Body, is_ct: bool) -> bool:
    """True when the body's own shape or content rules a face out.

    PRIVACY: everything else that no frame explains is held, a head without its vault above all (test_face_plan.py).
    """
    if not body.mask.any():
        return False
    return deepest_dent(body) < SMOOTH_LIMIT_MM or (is_ct and (_is_airless(body) or _is_chest(body)))


def deepest_dent(body: Body) -> float:
    """Return how deep (mm) the dents of the outline are, level by level: the 95th percentile over the levels."""
    import cv2

    step, finer = body.upright.spacing_mm[0], 3
    depths = []
    for level in body.mask:
        if level.sum() * step * step < LEAST_LEVEL_MM2:
            continue
        smooth = cv2.GaussianBlur(np.pad(level, 2).astype(np.float32), (0, 0), 0.8)
        fine = (cv2.resize(smooth, None, fx=finer, fy=finer, interpolation=cv2.INTER_CUBIC) > 0.5).astype(np.uint8)
        outlines, _ = cv2.findContours(fine, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        outline = max(outlines, key=cv2.contourArea, default=None)
        if outline is None or len(outline) < 20:
            continue
        try:
            dents = cv2.convexityDefects(outline, cv2.convexHull(outline, returnPoints=False))
        except cv2.error:
            return float("inf")
        depths.append(0.0 if dents is None else float(dents.reshape(-1, 4)[:, 3].max()) / 256 * step / finer)
    return float(np.percentile(depths, 95)) if depths else float("inf")


def _is_airless(body: Body) -> bool:
    """No air inside the body: a face has a nose, a mouth or sinuses."""
    from scipy import ndimage

    air = ndimage.binary_erosion(body.mask, iterations=2) & (body.upright.values < body.threshold)
    return float(air.sum()) * body.upright.spacing_mm[0] ** 3 < LEAST_AIR_MM3


def _is_chest(body: Body) -> bool:
    """Lungs that reach to within a short neck of the top of the field of view: no room for a face above them."""
    from scipy import ndimage

    values, step = body.upright.values, body.upright.spacing_mm[0]
    lung = ndimage.binary_opening(body.mask & (values > -970) & (values < -600))
    if float(lung.sum()) * step**3 < LUNG_MM3:
        return False
    top = np.flatnonzero(lung.sum(axis=(1, 2)) * step * step > 1000)
    return bool(len(top)) and (body.mask.shape[0] - 1 - int(top[-1])) * step < NECK_MM
