"""What is replaced: the smooth surface that takes the place of the face, how deep under it, and where it ends.

Everything is in the head frame (see `template`), so it is left-right symmetric and the same for everyone up to a shift of
a few millimetres; brain is kept out by a margin. Writing voxels belongs to `replace`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tasks.deface.body import Mask
from tasks.deface.geometry import Matrix
from tasks.deface.volume import Values, Volume

GRID_MM = 2.0
LOW, HIGH = (-126.0, -176.0, -164.0), (126.0, 62.0, 26.0)
"""Corners of the grid on which the region is defined."""
BRAIN_MARGIN_MM = 6.0  # what is found falls up to 3 mm short of a brain (tests/bench/faces.py); the face loses nothing by it
DEPTH_MM, GLOBE_DEPTH_MM, EAR_DEPTH_MM = 20.0, 31.0, 8.0
"""Under the average skin; that of the inner eye lies up to 12 mm under it already, hence more than 15 and 20."""
RECEDING = 0.6  # of the average skin under the chin, per millimetre of height
SURFACES = ((8.0, 1.0), (14.0, 1.0), (0.0, RECEDING))
"""How far (mm) the new surface lies in front of the skin that it replaces, and how it recedes under the chin: first choice, then what is
tried where a detector fires on that.

A front as flat as the skin's leaves a brow over it, and detectors see faces in some such heads; deeper ones make that worse, fuller ones
that run into the neck end it. Where a skull shows through thin skin (PET) it is the other way round (tests/bench/face_shapes.py). What is
overwritten is the same for all.
"""
BRAIN_LOW, BRAIN_HIGH = (-140.0, -190.0, -164.0), (140.0, 150.0, 140.0)
"""Corners of what is cut to the brain: a head from the neck up; the body below stays as it is."""
AROUND_BRAIN_MM = 8.0
BROW_MM, BROW_TOP_MM = -14.0, 6.0


@dataclass(frozen=True, slots=True)
class Region:
    """Scalar fields on one grid of the head frame; a voxel is replaced where `inside` > 0, by air where it lies above the surface."""

    grid: Matrix = field(repr=False)  # index to head frame
    surfaces: tuple[Values, ...] = field(repr=False)  # of SURFACES: millimetres above (+) or below (-) it
    inside: Values = field(repr=False)  # millimetres into the region that is replaced


def region_grid() -> Volume:
    """Return the (zero) grid that regions and face volumes share."""
    return _grid(LOW, HIGH)


def brain_grid() -> Volume:
    """Return the (zero) grid of a whole head, on which all but the brain is cut."""
    return _grid(BRAIN_LOW, BRAIN_HIGH)


def _grid(low_corner: tuple[float, float, float], high_corner: tuple[float, float, float]) -> Volume:
    shape = [round((high - low) / GRID_MM) + 1 for low, high in zip(low_corner, high_corner, strict=True)]
    to_frame = np.diag([GRID_MM, GRID_MM, GRID_MM, 1.0])
    to_frame[:3, 3] = low_corner
    return Volume(np.zeros(shape[::-1], dtype=np.float32), to_frame)


def coordinates(grid: Volume) -> tuple[Values, Values, Values]:
    """Return x, y, z of the grid, each broadcastable to its shape."""
    axes = [np.arange(n, dtype=np.float32) * GRID_MM + np.float32(o) for n, o in zip(grid.values.shape[::-1], LOW, strict=True)]
    x, y, z = (axis.astype(np.float32) for axis in axes)
    return x[None, None, :], y[None, :, None], z[:, None, None]


def surface_front(x: Values, z: Values) -> Values:
    """Return y of the average smooth front of skin at (x, z), before any shift."""
    half_width, centre, depth = _ellipse(z, RECEDING)
    return np.asarray(centre - depth * np.sqrt(np.clip(1 - (x / half_width) ** 2, 0.0, 1.0)), dtype=np.float32)


def _ellipse(z: Values, receding: float) -> tuple[Values, Values, Values]:
    """Half width, y of the centre and half depth of the level at z; quadratic in z, receding under the chin."""
    below = np.clip(-z - 112, 0, None)
    front = -101.0 + 0.0016 * (z + 30) ** 2 + receding * below
    half_width = 76.0 - 0.0012 * (z + 40) ** 2
    depth = np.full_like(z, 88.0) + 0.1 * np.clip(-z - 60, 0, 60)
    return half_width, front + depth, depth


def make_region(shift_mm: float, brow_shift_mm: Values, brain: Mask) -> Region:
    """Return the region for a head whose skin lies `shift_mm` behind the average front; `brow_shift_mm` is the same at the brow by x."""
    from scipy import ndimage

    grid = region_grid()
    x, y, z = coordinates(grid)
    towards_brow = np.clip((z + 34) / 36, 0, 1)
    towards_brow = towards_brow * towards_brow * (3 - 2 * towards_brow)  # no edge where the new surface meets the forehead

    def above_surface(fuller_mm: float, receding: float) -> Values:
        half_width, centre, depth = _ellipse(z, receding)
        shift = (shift_mm - fuller_mm) * (1 - towards_brow) + brow_shift_mm[None, None, :] * towards_brow
        forward = np.minimum((y - shift - centre) / depth, 0.0)  # behind the centre only the width counts
        return np.asarray((np.sqrt((x / half_width) ** 2 + forward**2) - 1.0) * 80.0, dtype=np.float32)

    under = np.full(np.broadcast_shapes(x.shape, y.shape, z.shape), DEPTH_MM, dtype=np.float32)
    globe = np.minimum(np.hypot(np.abs(x) - 31, z + 33), 40.0)
    under = np.maximum(under, np.clip(GLOBE_DEPTH_MM - np.clip(globe - 17, 0, None) * 2, 0, None))
    under = np.where(y > -18, np.minimum(under, EAR_DEPTH_MM + (-np.clip(y, -18, -6) - 6)), under)
    under = under * np.clip((BROW_TOP_MM - z) / (BROW_TOP_MM - BROW_MM), 0.25, 1.0)
    under = under * np.clip((z + 150) / 20, 0.2, 1.0)

    back, ear_low, ear_high = 36.0, -82.0, -4.0
    face = np.minimum(BROW_TOP_MM - z, np.minimum(z + 148.0, -6.0 - y))
    ears = np.minimum(np.minimum(back - y, y + 20.0), np.minimum(ear_high - z, z - ear_low))
    limits = np.maximum(face, ears)
    neck = np.minimum(-30.0 - y, 0.0) + 0 * z  # under the chin only the front is replaced
    limits = np.where(z < -122, np.minimum(limits, neck - (-122 - z) * 0.5 + 6.0), limits)
    inside = np.minimum(limits, above_surface(0.0, RECEDING) + under)
    if brain.any():
        distance = np.asarray(ndimage.distance_transform_edt(~brain), dtype=np.float32) * GRID_MM
        inside = np.minimum(inside, distance - BRAIN_MARGIN_MM)
    surfaces = tuple(above_surface(fuller, receding) for fuller, receding in SURFACES)
    return Region(grid.to_patient, surfaces, np.ascontiguousarray(inside, dtype=np.float32))


def make_brain_region(brain: Mask) -> Region:
    """Return the region of everything on `brain_grid` that is further than AROUND_BRAIN_MM from the brain; all of it becomes air."""
    from scipy import ndimage

    distance = np.asarray(ndimage.distance_transform_edt(~brain), dtype=np.float32) * GRID_MM
    return Region(brain_grid().to_patient, (np.ones_like(distance),), distance - AROUND_BRAIN_MM)
