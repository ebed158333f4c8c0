"""Find the head frame of a volume: the affine that lays the average head over it, by mutual information.

One thread and fixed seeds: the same pixels give the same frame to the last bit. Judging the frame belongs to `evidence`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from tasks.deface.body import Body, Mask
from tasks.deface.geometry import Matrix
from tasks.deface.template import load_template
from tasks.deface.volume import Values, Volume

COARSE_MM, FINE_MM = 8.0, 4.0
PITCHES = (-30.0, -12.0, 6.0, 24.0, 42.0)
YAWS, ROLLS = (0.0, -25.0, 25.0, -50.0, 50.0), (0.0, -22.0, 22.0)
"""A turned head settles in a wrong frame that still looks like one, so every search begins at all of them (test_face_plan.py)."""
BRAIN_TOP_MM = 78.0  # of the vertex over the head frame's origin
RIVALS, APART_MM = 2, 15.0
_CORNERS = np.array([[0, -119, -66, 1], [0, -92, -113, 1], [66, 6, -40, 1], [-66, 6, -40, 1]], dtype=float).T
LADDER_MM, LADDER_RUNGS = 70.0, 6
SEED = 20240501
BINS = 40


@dataclass(frozen=True, slots=True)
class Pose:
    """Head frame to patient axes (4x4), and how well the average head explains the volume there (more negative is better)."""

    to_patient: Matrix = field(repr=False)
    information: float


def find_pose(
    upright: Volume,
    valid: Mask,
    body: Body,
    is_ct: bool,
    yaws: Sequence[float] = (0.0,),
    missing_mm: Sequence[float] = (0.0,),
    promising: float = 0.0,
    is_rare: bool = False,
) -> Pose | None:
    """Register the average head to an upright volume of about 4 mm whose field of view may lack `missing_mm` above.

    A rare position is searched for from fewer starts.

    None when nothing converged, or when no start came to `promising` (mutual information, negative) at COARSE_MM.
    """
    import SimpleITK as sitk

    template = load_template()
    values = _window(upright.values, body, is_ct)
    moving_fine, mask_fine = _image(values, upright), _image(valid.astype(np.uint8), upright)
    ratio = max(1, round(COARSE_MM / upright.spacing_mm[0]))
    moving_coarse, mask_coarse = sitk.BinShrink(moving_fine, [ratio] * 3), sitk.Shrink(mask_fine, [ratio] * 3)
    fixed = _image(template.head.values, template.head)
    around = _around(template.head)
    fixed_mask = _image(around.astype(np.uint8), template.head)
    fixed_coarse, fixed_mask_coarse = sitk.BinShrink(fixed, [3, 3, 3]), sitk.Shrink(fixed_mask, [3, 3, 3])
    starts = [start for missing in missing_mm for start in _starts(body, yaws, missing, is_rare)]
    coarse = [_run(fixed_coarse, fixed_mask_coarse, moving_coarse, mask_coarse, s, iterations=40, step=8.0, share=0.5) for s in starts]
    rivals = _rivals([found for found in coarse if found is not None and found[0] <= promising])
    run = partial(_run, fixed, fixed_mask, moving_fine, mask_fine)
    settled = [run(_affine(transform), iterations=60, step=2.0, share=0.15) for _, transform in rivals]
    best = min((found for found in settled if found is not None), key=lambda found: found[0], default=None)
    found = None if best is None else run(_affine(best[1]), iterations=40, step=0.7, share=0.35)
    return None if found is None else Pose(_matrix(found[1]), found[0])


def _rivals(found: Sequence[tuple[float, Any]]) -> list[tuple[float, Any]]:
    """Return the best frame and the next best that is another frame, not the same one reached again."""
    chosen: list[tuple[float, Any]] = []
    for one in sorted(found, key=lambda one: one[0]):
        if all(float(np.abs((_matrix(one[1]) - _matrix(other)) @ _CORNERS).max()) > APART_MM for _, other in chosen):
            chosen.append(one)
        if len(chosen) == RIVALS:
            break
    return chosen


def _window(values: Values, body: Body, is_ct: bool) -> Values:
    if is_ct:
        return np.clip(values, -300, 400)
    inside = values[body.mask]
    top = float(np.percentile(inside, 98)) if inside.size else float(values.max())
    return np.clip(values, min(0.0, float(np.percentile(values, 0.5))), max(top, 1e-6))


def _image(array: Any, volume: Volume) -> Any:
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(array)
    image.SetSpacing(volume.spacing_mm)
    image.SetOrigin([float(v) for v in volume.to_patient[:3, 3]])
    return image


def _around(head: Volume) -> Mask:
    from scipy import ndimage

    solid = ndimage.binary_fill_holes(ndimage.binary_opening(head.values > 40, iterations=1))
    return np.asarray(ndimage.binary_dilation(solid, iterations=4), dtype=np.bool_)


def _starts(body: Body, yaws: Sequence[float], missing_mm: float, is_rare: bool) -> list[Any]:
    import SimpleITK as sitk

    z_index, y_index, x_index = np.nonzero(body.mask)
    step, origin = body.upright.spacing_mm[0], body.upright.to_patient[:3, 3]
    z = z_index * step + origin[2]
    highest, lowest = float(np.percentile(z, 99.8)), float(z.min())
    starts = []
    # a head may lie below raised arms; in what is no longer than a head and neck only the top is tried
    below = np.arange(highest - LADDER_MM, lowest + 180, -LADDER_MM)[:LADDER_RUNGS] if highest - lowest > 270 and not missing_mm else ()
    tops = [highest + missing_mm, *below]
    for top in tops:
        upper = (z > (highest - 60 if missing_mm else top - 150)) & (z <= top)
        if not upper.any():
            continue
        x, y = float(np.median(x_index[upper])) * step + origin[0], float(np.median(y_index[upper])) * step + origin[1]
        rolls, turns = ROLLS[:1] if is_rare or missing_mm else ROLLS, YAWS[:3] if is_rare else YAWS
        angles = product(PITCHES, rolls, turns) if top == tops[0] else product(PITCHES[1:3], ROLLS[:1], YAWS[:1])
        for quarter, (pitch, roll, yaw) in product(yaws, list(angles)):
            pose = sitk.Similarity3DTransform()
            pose.SetCenter((0.0, 0.0, 0.0))
            turn = sitk.Euler3DTransform((0.0, 0.0, 0.0), np.radians(pitch), np.radians(roll), np.radians(quarter + yaw))
            pose.SetMatrix(turn.GetMatrix())
            pose.SetTranslation((x, y - 4.0, top - BRAIN_TOP_MM))
            # a versor cannot move across half a turn: large turns begin as affine
            starts.append(pose if abs(quarter) + abs(yaw) < 120 else _affine(pose))
    return starts


def _run(
    fixed: Any, fixed_mask: Any, moving: Any, moving_mask: Any, start: Any, *, iterations: int, step: float, share: float
) -> tuple[float, Any] | None:
    import SimpleITK as sitk

    method = sitk.ImageRegistrationMethod()
    method.SetGlobalDefaultNumberOfThreads(1)
    method.SetNumberOfThreads(1)
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(share, SEED)
    method.SetMetricFixedMask(fixed_mask)
    method.SetMetricMovingMask(moving_mask)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(step, step / 40, iterations, relaxationFactor=0.6)
    method.SetOptimizerScalesFromPhysicalShift()
    transform = start.Clone() if hasattr(start, "Clone") else type(start)(start)
    method.SetInitialTransform(transform, inPlace=True)
    try:
        method.Execute(fixed, moving)
    except RuntimeError:
        return None  # too few samples fall into the volume from there
    return float(method.GetMetricValue()), transform


def _matrix(transform: Any) -> Matrix:
    matrix = np.eye(4)
    origin = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    for axis in range(3):
        unit = [0.0, 0.0, 0.0]
        unit[axis] = 1.0
        matrix[:3, axis] = np.array(transform.TransformPoint(unit)) - origin
    matrix[:3, 3] = origin
    return matrix


def _affine(transform: Any) -> Any:
    import SimpleITK as sitk

    matrix = _matrix(transform)
    affine = sitk.AffineTransform(3)
    affine.SetMatrix([float(v) for v in matrix[:3, :3].ravel()])
    affine.SetTranslation([float(v) for v in matrix[:3, 3]])
    return affine
