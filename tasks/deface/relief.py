"""Skin seen from the front as a depth map, and how much of a face its relief still shows.

Needs no model and no reference: a face is what remains of the eye-nose-mouth window when a quadratic is taken off.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tasks.deface.body import Mask
from tasks.deface.region import coordinates, region_grid, surface_front
from tasks.deface.volume import Values

WINDOW_X_MM, WINDOW_Z_MM = (-42.0, 42.0), (-104.0, -18.0)
NEAR_MM = 24.0  # skin further from the average front than this is no skin of a face
RELIEF_LIMIT_MM = 1.5
FEWEST_COLUMNS = 150  # of 1892 at 2 mm; fewer say nothing about relief


@dataclass(frozen=True, slots=True)
class Relief:
    """The front of a head in the eye-nose-mouth window."""

    in_view: float  # share of the window's columns that the field of view covers at the skin
    with_skin: float  # share of those with skin near the average front
    rms_mm: float | None  # after removing a quadratic; None when too few columns have skin
    offset_mm: float  # median distance of the skin behind the average front
    brow_offset_mm: NDArray[np.float32] = field(repr=False)  # the same at the brow, by x; smooth and symmetric
    depth: NDArray[np.float32] = field(repr=False)  # y of the skin, [z, x]; NaN where there is none


def measure_relief(tissue: Values, threshold: float, view: Mask, *, cut_is_skin: bool = True) -> Relief:
    """Measure the skin of a volume on `region_grid`: first crossing of `threshold` from the front, to a fraction of a voxel.

    Where the field of view ends in tissue, that flat cut counts as skin, unless `cut_is_skin` is False: it is none of ours to smooth.
    """
    x, y, z = coordinates(region_grid())
    depth = skin_depth(tissue, threshold)
    average = surface_front(x[:, 0], z[:, 0])
    distance = depth - average
    window = (x[:, 0] >= WINDOW_X_MM[0]) & (x[:, 0] <= WINDOW_X_MM[1]) & (z[:, 0] >= WINDOW_Z_MM[0]) & (z[:, 0] <= WINDOW_Z_MM[1])
    y_index = np.clip(np.rint((average + 4 - y[0, 0, 0]) / (y[0, 1, 0] - y[0, 0, 0])).astype(int), 0, view.shape[1] - 1)
    seen = np.take_along_axis(view, y_index[:, None, :], axis=1)[:, 0, :]
    skin = np.isfinite(distance) & (np.abs(np.nan_to_num(distance, nan=999.0)) < NEAR_MM)
    usable = window & seen
    good = usable & skin
    shown = good if cut_is_skin else good & _after_air(depth, view)
    brow = skin & seen & (np.abs(x[:, 0]) < 58) & (z[:, 0] > 2) & (z[:, 0] < 14)
    offset = float(np.median(distance[good])) if good.sum() >= FEWEST_COLUMNS else 0.0
    return Relief(
        in_view=float(usable.sum() / window.sum()),
        with_skin=float(good.sum() / usable.sum()) if usable.any() else 0.0,
        rms_mm=_residual(depth, shown, x[:, 0], z[:, 0]),
        offset_mm=offset,
        brow_offset_mm=_brow_profile(distance, brow, offset),
        depth=depth,
    )


def _after_air(depth: NDArray[np.float32], view: Mask) -> Mask:
    """Where the voxel in front of the skin lies in the field of view."""
    _, y, _ = coordinates(region_grid())
    step = float(y[0, 1, 0] - y[0, 0, 0])
    before = np.floor((np.nan_to_num(depth, nan=float(y[0, 0, 0])) - y[0, 0, 0]) / step).astype(int)
    inside = np.take_along_axis(view, np.clip(before, 0, view.shape[1] - 1)[:, None, :], axis=1)[:, 0, :]
    return np.asarray(inside & np.isfinite(depth), dtype=np.bool_)


def _brow_profile(distance: Values, brow: Mask, otherwise: float) -> NDArray[np.float32]:
    """Return the median offset per x over the brow, mirrored and smoothed, so that it carries a size and no features."""
    from scipy import ndimage

    profile = np.full(distance.shape[1], np.nan)
    for column in np.flatnonzero(brow.any(axis=0)):
        profile[column] = np.median(distance[brow[:, column], column])
    both = np.where(np.isfinite(profile), profile, profile[::-1])
    both = np.where(np.isfinite(profile[::-1]), (both + profile[::-1]) / 2, both)
    known = np.flatnonzero(np.isfinite(both))
    if len(known) < 10:
        return np.full(distance.shape[1], otherwise, dtype=np.float32)
    filled = np.interp(np.arange(len(both)), known, both[known])
    return np.asarray(ndimage.gaussian_filter1d(filled, 6.0, mode="nearest"), dtype=np.float32)


def skin_depth(tissue: Values, threshold: float) -> NDArray[np.float32]:
    """Return y (head frame) where each column first rises over `threshold` for 4 mm, from the front; NaN where it never does."""
    _, y, _ = coordinates(region_grid())
    step = float(y[0, 1, 0] - y[0, 0, 0])
    over = tissue > threshold
    lasting = over.copy()
    lasting[:, :-1] &= over[:, 1:]  # noise and mesh thinner than two voxels are not skin
    first = lasting.argmax(axis=1)
    found = lasting.any(axis=1)
    at = np.take_along_axis(tissue, first[:, None, :], axis=1)[:, 0, :]
    before = np.take_along_axis(tissue, np.maximum(first - 1, 0)[:, None, :], axis=1)[:, 0, :]
    rise = np.where(first > 0, np.clip((at - threshold) / np.maximum(at - before, 1e-6), 0, 1), 0)
    return np.where(found, y[0, 0, 0] + (first - rise) * step, np.nan).astype(np.float32)


def _residual(depth: Values, good: Mask, x: Values, z: Values) -> float | None:
    if good.sum() < FEWEST_COLUMNS:
        return None
    x_all, z_all = np.broadcast_arrays(x, z)
    u, v = x_all[good] / 42.0, (z_all[good] + 61.0) / 43.0
    design = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=1).astype(np.float64)
    heights = depth[good].astype(np.float64)
    solution, *_ = np.linalg.lstsq(design, heights, rcond=None)
    return float(np.sqrt(np.mean((heights - design @ solution) ** 2)))
