"""Is it a head, and is there a face in it: measured in the head frame, never read from a header.

Limits come from the measurements in tests/bench/faces; finding the frame belongs to `register`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.deface.body import Body, Mask
from tasks.deface.geometry import Matrix
from tasks.deface.register import Pose
from tasks.deface.template import load_template
from tasks.deface.volume import Values, Volume

INFORMATION_LIMIT = -0.40  # mutual information, air included: heads -0.45..-0.79, fruit and balls -0.29..-0.40
INNER_LIMIT = 0.08  # the same inside the head only: heads 0.106..0.37, fruit, balls, legs 0.02..0.053
TOGETHER_LIMIT = 0.52  # their sum: heads from 0.57, a head in a wrong frame 0.47, a fruit 0.45
CERTAIN_LIMIT, CERTAIN_INNER = 0.8, 0.25  # heads with hardly any brain in view; nothing else has come near
LEAST_BRAIN, LEAST_CERTAIN_BRAIN = 0.2, 0.05  # share of the average brain inside the field of view
DOUBT_LIMIT = 0.07  # heads in a wrong frame 0.075..0.089; legs, balls and bottles 0.03..0.066
DOUBT_BRAIN_LIMIT = 0.93  # heads from 0.95 even in a wrong frame
SCALES = (0.76, 1.32)
ANISOTROPY_LIMIT = 1.35
BRAIN_IN_BODY_LIMIT = 0.9


@dataclass(frozen=True, slots=True)
class HeadEvidence:
    """How well the average head explains a volume at a pose."""

    information: float
    inner_information: float
    scales: tuple[float, float]  # smallest, largest
    brain_in_body: float
    brain_in_view: float

    @property
    def together(self) -> float:
        """Both measures of information in one: the more, the more of a head."""
        return self.inner_information - self.information

    @property
    def is_possible(self) -> bool:
        """True when the frame has a size and a shape that a head can have."""
        return (
            self.scales[0] >= SCALES[0]
            and self.scales[1] <= SCALES[1]
            and self.scales[1] / self.scales[0] <= ANISOTROPY_LIMIT
            and self.brain_in_body >= BRAIN_IN_BODY_LIMIT
        )

    @property
    def is_head(self) -> bool:
        """True when every measure is within what heads have shown."""
        certain = self.together >= CERTAIN_LIMIT and self.inner_information >= CERTAIN_INNER
        return (
            self.is_possible
            and self.information <= INFORMATION_LIMIT
            and self.inner_information >= INNER_LIMIT
            and self.together >= TOGETHER_LIMIT
            and self.brain_in_view >= (LEAST_CERTAIN_BRAIN if certain else LEAST_BRAIN)
        )

    @property
    def may_be_head(self) -> bool:
        """True for what is no head by the limits but not far enough from one: other positions are tried."""
        return self.inner_information >= DOUBT_LIMIT and self.brain_in_body >= DOUBT_BRAIN_LIMIT


def sample(volume: Volume, to_patient: Matrix, grid: Volume, outside: float) -> Values:
    """Return `volume` at the points of `grid` (head frame), where `to_patient` maps head frame to patient axes."""
    from scipy import ndimage

    index = np.linalg.inv(volume.to_patient) @ to_patient @ grid.to_patient
    return np.asarray(
        ndimage.affine_transform(
            volume.values,
            index[:3, :3][::-1, ::-1],
            index[:3, 3][::-1],
            output_shape=grid.values.shape,
            order=1,
            mode="constant",
            cval=outside,
            prefilter=False,
        ),
        dtype=np.float32,
    )


def weigh_head(pose: Pose, body: Body, valid: Mask, is_ct: bool) -> HeadEvidence:
    """Measure the evidence for a head at this pose."""
    from scipy import ndimage

    template = load_template()
    upright = body.upright
    view = sample(Volume(valid.astype(np.float32), upright.to_patient), pose.to_patient, template.head, 0.0) > 0.99
    tissue = sample(Volume(body.mask.astype(np.float32), upright.to_patient), pose.to_patient, template.head, 0.0) > 0.5
    values = np.clip(upright.values, -300, 400) if is_ct else upright.values
    there = sample(Volume(values, upright.to_patient), pose.to_patient, template.head, float(values.min()))
    inner = ndimage.binary_erosion(ndimage.binary_fill_holes(ndimage.binary_opening(template.head.values > 40))) & view
    brain = template.brain & view
    scales = np.linalg.svd(pose.to_patient[:3, :3], compute_uv=False)
    return HeadEvidence(
        information=pose.information,
        inner_information=_mutual_information(there[inner], template.head.values[inner]) if inner.sum() > 500 else 0.0,
        scales=(float(scales[-1]), float(scales[0])),
        brain_in_body=float(tissue[brain].mean()) if brain.any() else 0.0,
        brain_in_view=float(brain.sum() / template.brain.sum()),
    )


def _mutual_information(first: NDArray[np.float32], second: NDArray[np.float32], bins: int = 16) -> float:
    low, high = np.percentile(first, [1, 99])
    counts, _, _ = np.histogram2d(np.clip(first, low, max(high, low + 1e-6)), second, bins=bins)
    share = counts / counts.sum()
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    filled = share > 0
    information = float((share[filled] * np.log(share[filled] / np.outer(rows, columns)[filled])).sum())
    free = int(filled.sum()) - int((rows > 0).sum()) - int((columns > 0).sum()) + 1
    return information - free / 2 / float(counts.sum())  # Miller-Madow: few samples look informative
