"""Pixels of a stack as a coarse volume in patient space, in the units that thresholds are stated in.

Only enough frames are decoded for the asked resolution. What the values mean for a face does not belong here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tasks.deface.geometry import Frame, Matrix, Stack

Values = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Volume:
    """Values on a regular (maybe sheared) grid; `to_patient` maps (column, row, slice, 1) to LPS millimetres."""

    values: Values = field(repr=False)  # [slice, row, column], float32
    to_patient: Matrix = field(repr=False)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Step along column, row and slice index."""
        column, row, across = np.linalg.norm(self.to_patient[:3, :3], axis=0)
        return float(column), float(row), float(across)


def decode_frame(frame: Frame) -> Values:
    """Return one frame in rescaled units (rows x columns); colour becomes its mean. Raises what the decoder raises."""
    from pydicom.pixels.utils import pixel_array

    stored = pixel_array(frame.path, index=frame.number, raw=True)
    values = np.asarray(stored, dtype=np.float32)
    if values.ndim == 3:
        values = values.mean(axis=2)
    return values * np.float32(frame.slope) + np.float32(frame.intercept)


def coarse_volume(stack: Stack, grid_mm: float) -> Volume:
    """Decode frames about `grid_mm` apart and average pixels to about `grid_mm`; uneven gaps become even by interpolation."""
    chosen = _spread(stack, grid_mm)
    first = stack.frames[0]
    factor = [max(1, round(grid_mm / float(np.linalg.norm(first.to_patient[:3, axis])))) for axis in (1, 0)]
    planes = np.stack([_shrunk(decode_frame(stack.frames[n]), factor[0], factor[1]) for n in chosen])
    positions = stack.positions[list(chosen)]
    steps = max(1, round(float(positions[-1] - positions[0]) / grid_mm)) if len(chosen) > 1 else 0
    even = np.linspace(positions[0], positions[-1], steps + 1)
    right = np.clip(np.searchsorted(positions, even), 1, max(1, len(positions) - 1))
    if len(chosen) > 1:
        share = np.clip((even - positions[right - 1]) / (positions[right] - positions[right - 1]), 0, 1).astype(np.float32)
        planes = planes[right - 1] * (1 - share)[:, None, None] + planes[right] * share[:, None, None]
    to_patient = first.to_patient.copy()
    to_patient[:3, 3] += to_patient[:3, 0] * (factor[1] - 1) / 2 + to_patient[:3, 1] * (factor[0] - 1) / 2
    to_patient[:3, 0] *= factor[1]
    to_patient[:3, 1] *= factor[0]
    if steps:
        last = stack.frames[chosen[-1]]  # origin to origin, not along the normal: gantry tilt shears the grid
        to_patient[:3, 2] = (last.to_patient[:3, 3] - first.to_patient[:3, 3]) / steps
    return Volume(np.ascontiguousarray(planes, dtype=np.float32), to_patient)


def _spread(stack: Stack, grid_mm: float) -> tuple[int, ...]:
    chosen = [0]
    for n, position in enumerate(stack.positions):
        nearer = n + 1 == len(stack.positions) or stack.positions[n + 1] - stack.positions[chosen[-1]] > grid_mm * 1.001
        if n and nearer and position > stack.positions[chosen[-1]]:
            chosen.append(n)
    return tuple(chosen)


def _shrunk(plane: Values, rows: int, columns: int) -> Values:
    height, width = plane.shape[0] // rows * rows, plane.shape[1] // columns * columns
    blocks = plane[:height, :width].reshape(height // rows, rows, width // columns, columns)
    return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float32)


def in_patient_axes(volume: Volume, grid_mm: float, outside: float) -> Volume:
    """Resample to an upright grid: slice index along +S, rows along +P, columns along +L."""
    from scipy import ndimage

    shape = volume.values.shape
    corners = np.array([[c, r, s, 1] for c in (0, shape[2] - 1) for r in (0, shape[1] - 1) for s in (0, shape[0] - 1)], dtype=float)
    points = (volume.to_patient @ corners.T)[:3]
    low, high = points.min(axis=1), points.max(axis=1)
    size = np.maximum(1, np.ceil((high - low) / grid_mm).astype(int) + 1)
    upright = np.diag([grid_mm, grid_mm, grid_mm, 1.0])
    upright[:3, 3] = low
    index = np.linalg.inv(volume.to_patient) @ upright  # upright (x, y, z) index -> stored (column, row, slice) index
    matrix = index[:3, :3][::-1, ::-1]
    values = ndimage.affine_transform(
        volume.values, matrix, index[:3, 3][::-1], output_shape=tuple(size[::-1]), order=1, mode="constant", cval=outside, prefilter=False
    )
    return Volume(values.astype(np.float32), upright)
