"""Overwrite the region of a head in the native frames of one stack: air above the new surface, tissue-like noise under it.

Deterministic: seeded by the frame's place in its stack. Voxels outside the region keep their bytes. Deciding whether to do
so belongs to `plan`; DICOM attributes belong to `apply`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.deface.geometry import Frame, Stack
from tasks.deface.head import FaceVolume, Head
from tasks.deface.mark import frame_noise
from tasks.deface.region import GRID_MM
from tasks.deface.volume import Values, decode_frame

CT_TISSUE_HU, CT_NOISE_HU = 40.0, 15.0
MR_NOISE = 0.12  # of the local median
MARK_SHARE = 0.02  # of the step from air to tissue: the least noise of air that survives rounding
CONTEXT_MM = 14.0
LEAST_TISSUE = 2.2  # times the threshold between air and tissue: at every level that skin is rendered at, nothing under it shows
LEAST_CUT_MM2 = 60.0
COARSER = 3  # the tissue field needs a third of the region's resolution


@dataclass(frozen=True, slots=True)
class Filling:
    """What air and tissue look like in one stack, in rescaled units."""

    air: NDArray[np.float32] = field(repr=False)  # quantiles 0..1 of its air
    tissue: Values = field(repr=False)  # smooth field, COARSER than the region's grid
    noise: float  # standard deviation, as a share of `tissue` (MR, PET) or absolute (CT)
    is_ct: bool


NOTHING = Filling(np.zeros(2, dtype=np.float32), np.zeros((1, 1, 1), dtype=np.float32), 0.0, True)
"""For objects whose values in the region become zero."""


@dataclass(frozen=True, slots=True)
class Overwrite:
    """Where and with what one frame is overwritten: a window of it, and inside the window a mask and values."""

    rows: slice
    columns: slice
    mask: NDArray[np.bool_] = field(repr=False)
    values: Values = field(repr=False)  # rescaled units


def make_filling(face: FaceVolume, head: Head, is_ct: bool) -> Filling:
    """Learn air and tissue from the stack's own voxels around the region (never from those in it)."""
    from scipy import ndimage

    seen = face.view.astype(bool)
    if not seen.any():  # a plane or two: nothing of the stack lies between them
        air = -1000.0 if is_ct else 0.25 * face.threshold
        tissue_value, noise = (CT_TISSUE_HU, CT_NOISE_HU) if is_ct else (LEAST_TISSUE * face.threshold, MR_NOISE)
        return Filling(np.full(2, air, dtype=np.float32), np.full((1, 1, 1), tissue_value, dtype=np.float32), noise, is_ct)
    tissue = face.values > face.threshold
    far = ndimage.binary_dilation(tissue, iterations=4)
    air_values = face.values[seen & ~far & (head.region.surfaces[0] > 0)]
    if air_values.size < 200:
        air_values = face.values[seen & ~tissue] if is_ct else face.values[seen][face.values[seen] <= np.percentile(face.values[seen], 5)]
    if air_values.size < 200:
        air_values = np.array([-1000.0 if is_ct else float(face.values.min())], dtype=np.float32)
    air = np.percentile(air_values, np.linspace(1, 99, 33)).astype(np.float32)
    if is_ct:
        return Filling(air, np.full((1, 1, 1), CT_TISSUE_HU, dtype=np.float32), CT_NOISE_HU, True)
    kept = tissue & seen & (head.region.inside <= 0) & (head.region.surfaces[0] < 0)
    whole = float(np.median(face.values[kept])) if kept.any() else float(np.median(face.values[tissue])) if tissue.any() else 1.0
    sigma = CONTEXT_MM / GRID_MM
    coarse = (slice(None, None, COARSER),) * 3
    weight = ndimage.gaussian_filter(kept[coarse].astype(np.float32), sigma / COARSER) + np.float32(1e-3)
    total = ndimage.gaussian_filter(np.where(kept, np.minimum(face.values, 3 * whole), 0)[coarse].astype(np.float32), sigma / COARSER)
    smooth = np.maximum((total + np.float32(1e-3) * whole) / weight, LEAST_TISSUE * face.threshold)
    return Filling(air, np.ascontiguousarray(smooth, dtype=np.float32), MR_NOISE, False)


def touches_tissue(stack: Stack, head: Head, threshold: float) -> bool:
    """Return whether any plane of a stack cuts tissue in the region; PRIVACY: one plane has no volume and may show a profile."""
    sampler = RegionSampler(head, None)
    for frame in stack.frames:
        what = sampler.lay_over(frame, 0)
        if what is None:
            continue
        cut = what.mask & (decode_frame(frame)[what.rows, what.columns] > threshold)
        if cut.sum() * float(np.prod(np.linalg.norm(frame.to_patient[:3, :2], axis=0))) >= LEAST_CUT_MM2:
            return True
    return False


class RegionSampler:
    """The region and the filling of one stack, ready to be laid over its frames."""

    def __init__(self, head: Head, filling: Filling | None, action: str = "replace", surface: int = 0) -> None:
        import SimpleITK as sitk

        region = head.overwritten
        active = np.argwhere(region.inside > 0)
        low = np.maximum(active.min(axis=0) - 1, 0) if len(active) else np.zeros(3, int)
        high = active.max(axis=0) + 2 if len(active) else np.ones(3, int)
        box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        self._empty = not len(active)
        self._filling, self._action = filling or NOTHING, action
        self._to_frame = np.linalg.inv(head.to_patient)
        self._low = region.grid[:3, 3] + low[::-1] * GRID_MM
        self._high = region.grid[:3, 3] + (np.minimum(high, region.inside.shape) - 1)[::-1] * GRID_MM

        def image(values: Values, step: float, origin: Any) -> Any:
            picture = sitk.GetImageFromArray(np.ascontiguousarray(values, dtype=np.float32))
            picture.SetSpacing((step,) * 3)
            picture.SetOrigin([float(v) for v in origin])
            return picture

        self._inside, self._above = (image(values[box], GRID_MM, self._low) for values in (region.inside, region.surfaces[surface]))
        self._tissue = None if filling is None or filling.is_ct else image(filling.tissue, GRID_MM * COARSER, region.grid[:3, 3])

    def lay_over(self, frame: Frame, place: int) -> Overwrite | None:
        """Return what is overwritten in one frame (`place` seeds its noise), or None when the region does not touch it."""
        window = self._window(frame)
        if self._empty or window is None:
            return None
        rows, columns = window
        inside = self._sampled(self._inside, frame, window, -1.0)
        mask = inside > 0
        if not mask.any():
            return None
        above = self._sampled(self._above, frame, window, 1.0)
        normal, uniform = (noise[rows, columns] for noise in frame_noise(frame.shape, place))
        air = np.interp(uniform, np.linspace(0, 1, len(self._filling.air)), self._filling.air).astype(np.float32)
        if self._tissue is None:
            tissue = np.float32(CT_TISSUE_HU) + np.float32(self._filling.noise) * normal
        else:
            tissue = self._sampled(self._tissue, frame, window, float(self._filling.tissue.mean())) * (
                1 + np.float32(self._filling.noise) * np.clip(normal, -3, 3)
            )
        if self._action == "brain":
            values = self._marked_air(normal)
        else:
            values = air if self._action == "remove" else np.where(above > 0, air, tissue)
        return Overwrite(rows, columns, mask, np.asarray(values, dtype=np.float32))

    def _marked_air(self, normal: Values) -> Values:
        """Air whose noise is the method's own: a brain alone is no head to a second pass, which knows it by that (`mark`)."""
        low, middle, high = (float(self._filling.air[round(share * (len(self._filling.air) - 1))]) for share in (0.25, 0.5, 0.75))
        spread = max((high - low) / 1.35, MARK_SHARE * abs(float(self._filling.tissue.mean()) - middle))
        return np.asarray(middle + spread * normal, dtype=np.float32)

    def _window(self, frame: Frame) -> tuple[slice, slice] | None:
        """The pixels of a frame that can lie in the region: by sampling the plane every few pixels in the head frame."""
        matrix = self._to_frame @ frame.to_patient
        height, width = frame.shape
        step = 4
        c, r = np.meshgrid(np.arange(0, width + step, step), np.arange(0, height + step, step))
        points = matrix[:3, 0, None] * c.ravel() + matrix[:3, 1, None] * r.ravel() + matrix[:3, 3, None]
        margin = step * float(np.abs(matrix[:3, :2]).max()) + GRID_MM
        near = ((points > (self._low - margin)[:, None]) & (points < (self._high + margin)[:, None])).all(axis=0).reshape(c.shape)
        if not near.any():
            return None
        r_near, c_near = np.flatnonzero(near.any(axis=1)) * step, np.flatnonzero(near.any(axis=0)) * step
        rows = slice(max(0, int(r_near[0]) - step), min(height, int(r_near[-1]) + step))
        columns = slice(max(0, int(c_near[0]) - step), min(width, int(c_near[-1]) + step))
        return (rows, columns) if rows.stop > rows.start and columns.stop > columns.start else None

    def _sampled(self, picture: Any, frame: Frame, window: tuple[slice, slice], outside: float) -> Values:
        import SimpleITK as sitk

        rows, columns = window
        matrix = self._to_frame @ frame.to_patient
        transform = sitk.AffineTransform(3)
        transform.SetMatrix([float(v) for v in matrix[:3, :3].ravel()])
        transform.SetTranslation([float(v) for v in matrix[:3, 3]])
        size = (columns.stop - columns.start, rows.stop - rows.start, 1)
        resample = sitk.ResampleImageFilter()
        resample.SetNumberOfThreads(1)
        resample.SetSize(size)
        resample.SetOutputOrigin((float(columns.start), float(rows.start), 0.0))
        resample.SetInterpolator(sitk.sitkLinear)
        resample.SetDefaultPixelValue(outside)
        resample.SetTransform(transform)
        return np.asarray(sitk.GetArrayFromImage(resample.Execute(picture))[0], dtype=np.float32)
