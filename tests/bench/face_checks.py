"""Independent checks of a defaced series: its mask, wrong head frames, and pictures that show no face.

Nothing of the defacer's resampling is used. Brains belong to `brains`, printing the table to `faces`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from pydicom import dcmread
from scipy import ndimage

from tasks.deface import FacePlan, register
from tasks.deface.decision import Decision, Job
from tasks.deface.detectors import detect_faces
from tasks.deface.evidence import weigh_head
from tasks.deface.geometry import Stack
from tasks.deface.head import Head, define_head, face_volume
from tasks.deface.judge import whole_head
from tasks.deface.look import View
from tasks.deface.register import Pose
from tasks.deface.render import AROUND, render_views, skin_levels
from tasks.deface.replace import make_filling
from tasks.deface.template import load_template
from tasks.face_rounds import deface_until_clear
from tasks.intake import SeriesFiles
from tasks.policy.faces import FacePolicy
from tests.phantoms.heads import turned
from tests.phantoms.series import instances_of, write_outcomes


def stored(stack: Stack) -> np.ndarray:
    """Stored values [slice, row, column] of a stack, at full resolution."""
    return np.stack([np.atleast_3d(dcmread(f.path).pixel_array.T).T[f.number] for f in stack.frames]).astype(np.float32)


def points_in_head(stack: Stack, to_patient: np.ndarray) -> np.ndarray:
    """Head-frame coordinates (3 x voxels) of every voxel of a stack."""
    rows, columns = stack.frames[0].shape
    r, c = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    plane = np.stack([c.ravel(), r.ravel(), np.zeros(c.size), np.ones(c.size)])
    inverse = np.linalg.inv(to_patient)
    return np.concatenate([(inverse @ frame.to_patient @ plane)[:3] for frame in stack.frames], axis=1).astype(np.float32)


def outside_mask(stack: Stack, head: Head, points: np.ndarray) -> np.ndarray:
    """Where nothing may change: the region's field sampled at every voxel by another interpolator than the defacer's."""
    region = head.overwritten
    index = (np.linalg.inv(region.grid) @ np.vstack([points, np.ones(points.shape[1])]))[:3]
    last = np.array(region.inside.shape[::-1])[:, None] - 1.0
    index = np.where((index > -0.5) & (index < last + 0.5), np.clip(index, 0, last), index)  # a voxel reaches half a step
    inside = ndimage.map_coordinates(region.inside, index[::-1], order=1, mode="constant", cval=-1.0)
    return (inside <= -0.01).reshape(len(stack.frames), *stack.frames[0].shape)


def wrong_frames() -> list[np.ndarray]:
    """Head frames that are wrong in the ways in which registrations go wrong: moved, turned, too small, too large."""
    moves = [(30, 0, 0), (0, 35, 0), (0, 0, 45), (0, 0, -45)]
    frames = []
    for move in moves:
        frame = np.eye(4)
        frame[:3, 3] = move
        frames.append(frame)
    return [*frames, turned("z", 40), turned("z", 180), turned("x", 40), np.diag([0.64, 0.64, 0.64, 1.0]), np.diag([1.45, 1.45, 1.45, 1.0])]


def information_at(to_patient: np.ndarray, view: View) -> float:
    """Mutual information of the average head and the volume in this frame, as the registration measures it."""
    import SimpleITK as sitk

    assert view.body is not None and view.valid is not None
    head, upright = load_template().head, view.body.upright
    frame = sitk.AffineTransform(3)
    frame.SetMatrix([float(v) for v in to_patient[:3, :3].ravel()])
    frame.SetTranslation([float(v) for v in to_patient[:3, 3]])
    method = sitk.ImageRegistrationMethod()
    method.SetGlobalDefaultNumberOfThreads(1)
    method.SetMetricAsMattesMutualInformation(register.BINS)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(0.35, register.SEED)
    method.SetMetricFixedMask(register._image(register._around(head).astype(np.uint8), head))
    method.SetMetricMovingMask(register._image(view.valid.astype(np.uint8), upright))
    method.SetInterpolator(sitk.sitkLinear)
    method.SetInitialTransform(frame)
    moving = register._image(register._window(upright.values, view.body, view.is_ct), upright)
    return float(method.MetricEvaluate(register._image(head.values, head), moving))


def is_held_in(wrong: np.ndarray, series: SeriesFiles, decision: Decision, folder: Path) -> bool:
    """Whether a head frame that is off by `wrong` is refused as evidence, or by the judge after defacing in that frame."""
    view = decision.views[0]
    assert decision.head is not None and view.body is not None and view.valid is not None and view.pose is not None
    frame_of_head = decision.head.to_patient @ wrong
    pose = Pose(frame_of_head, information_at(frame_of_head, view))
    evidence = weigh_head(pose, view.body, view.valid, view.is_ct)
    if not evidence.is_head:
        return True
    view = replace(view, pose=pose, evidence=evidence)
    head = define_head([view])
    assert head is not None
    filling = make_filling(face_volume(view, head.to_patient), head, view.is_ct)
    plan = FacePlan({
        frame.path: replace(decision, job=Job(head, ((frame, place, filling),), view.is_ct), views=(view,), head=head)
        for place, frame in enumerate(view.stack.frames)
    })  # fmt: skip
    ended = deface_until_clear(instances_of(series), plan, FacePolicy(), partial(write_outcomes, folder=folder))
    return any(outcome.reason is not None for outcome in ended.judged)


def controls_seen(view: View, head: np.ndarray) -> tuple[int, int]:
    """How many pictures of the back of this head a detector takes for a face, and of how many: rendered as the judge renders."""
    backwards = head @ turned("z", 180)
    backwards[:3, 3] = (head @ np.array([0, -60, 0, 1.0]))[:3]
    levels = skin_levels(face_volume(view, head).threshold, view.is_ct)
    pictures = list(render_views(whole_head(view.stack, view.is_ct, backwards), 2.0, levels, margin=AROUND))
    seen = detect_faces(pictures)
    return (-1 if seen is None else seen.count(), len(pictures))
