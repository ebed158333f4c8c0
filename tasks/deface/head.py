"""One head frame per frame of reference: which stack defines it, and the region that is replaced in all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tasks.deface.body import Mask
from tasks.deface.brain import find_brain
from tasks.deface.evidence import sample, weigh_head
from tasks.deface.geometry import Matrix
from tasks.deface.look import Sight, View, outside_value
from tasks.deface.region import Region, brain_grid, make_brain_region, make_region, region_grid
from tasks.deface.register import Pose
from tasks.deface.relief import Relief, measure_relief
from tasks.deface.volume import Values, Volume, coarse_volume

FACE_GRID_MM = 2.0
LARGEST_SHIFT_MM = 9.0
AGREEMENT_MM = 8.0
"""Poses of two stacks of one frame of reference that put the face this far apart contradict each other."""
_LANDMARKS = np.array([[0, -119, -66, 1], [0, -92, -113, 1], [31, -72, -33, 1], [-31, -72, -33, 1], [66, 6, -40, 1]], dtype=float).T


@dataclass(frozen=True, slots=True)
class Head:
    """A head frame with what is replaced in it."""

    to_patient: Matrix = field(repr=False)  # head frame to patient axes
    region: Region = field(repr=False)  # the face and the ears
    cut: Region | None = field(repr=False, default=None)  # what is overwritten when that is not the face alone

    @property
    def overwritten(self) -> Region:
        """The region whose voxels change."""
        return self.region if self.cut is None else self.cut


@dataclass(frozen=True, slots=True)
class FaceVolume:
    """A stack in the head frame, on the region's grid."""

    values: Values = field(repr=False)
    view: Mask = field(repr=False)  # inside the field of view
    threshold: float
    relief: Relief


def face_volume(view: View, to_patient: Matrix, threshold: float | None = None) -> FaceVolume:
    """Return the stack's own pixels in the head frame at 2 mm."""
    fine = coarse_volume(view.stack, FACE_GRID_MM)
    grid = region_grid()
    values = sample(fine, to_patient, grid, outside_value(fine, view.is_ct))
    seen = sample(Volume(np.ones_like(fine.values), fine.to_patient), to_patient, grid, 0.0) > 0.99
    if threshold is None:
        from tasks.deface.body import tissue_threshold

        threshold = view.body.threshold if view.body is not None else tissue_threshold(fine.values, view.is_ct)
    return FaceVolume(values, seen, threshold, measure_relief(values, threshold, seen))


def define_head(views: Sequence[View], action: str = "replace") -> Head | None:
    """Return the head of one frame of reference for a policy's action; None when no view of it is a head."""
    heads = [view for view in views if view.sight is Sight.HEAD and view.pose is not None and view.evidence is not None]
    if not heads:
        return None
    best = max(heads, key=lambda view: (view.evidence.inner_information, len(view.stack.frames)) if view.evidence else (0.0, 0))
    assert best.pose is not None
    pose = best.pose.to_patient
    face = face_volume(best, pose)
    shift = float(np.clip(face.relief.offset_mm, -LARGEST_SHIFT_MM, LARGEST_SHIFT_MM))
    brow = np.clip(face.relief.brow_offset_mm, -LARGEST_SHIFT_MM, LARGEST_SHIFT_MM)
    region = make_region(shift, brow, find_brain(face.values, face.threshold, best.is_ct))
    return Head(pose, region, _around_brain(best, pose, face.threshold) if action == "brain" else None)


def _around_brain(view: View, to_patient: Matrix, threshold: float) -> Region:
    fine, grid = coarse_volume(view.stack, FACE_GRID_MM), brain_grid()
    values = sample(fine, to_patient, grid, outside_value(fine, view.is_ct))
    return make_brain_region(find_brain(values, threshold, view.is_ct, grid))


def agrees(view: View, head: Head) -> bool:
    """True unless a view that is a head itself lies elsewhere than the shared frame says (the patient moved, or a wrong frame)."""
    if view.sight is not Sight.HEAD or view.pose is None or view.evidence is None or view.body is None or view.valid is None:
        return True
    apart = np.linalg.norm((view.pose.to_patient @ _LANDMARKS - head.to_patient @ _LANDMARKS)[:3], axis=0)
    if float(apart.max()) <= AGREEMENT_MM:
        return True
    there = weigh_head(Pose(head.to_patient, view.pose.information), view.body, view.valid, view.is_ct)
    return there.inner_information >= 0.85 * view.evidence.inner_information and float(apart.max()) <= 3 * AGREEMENT_MM
