"""The decision for every series of a study, from source pixels, before any object is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tasks.deface.body import find_body, is_torso
from tasks.deface.geometry import Stack, read_geometry
from tasks.deface.kinds import Kind, kind_of
from tasks.deface.volume import coarse_volume, in_patient_axes
from tasks.intake import SeriesFiles, SourceFile
from tasks.model import Reason
from tasks.policy.faces import FacePolicy

QUICK_GRID_MM = 6.0
FEWEST_PLANES = 8  # fewer planes, or planes further apart than LARGEST_GAP_MM, say too little about a surface
LARGEST_GAP_MM = 15.0


@dataclass(frozen=True, slots=True)
class Decision:
    """What the pixels of one object's series say: the verdict, and the reason when the object must be held."""

    verdict: str
    reason: Reason | None
    face_in_fov: bool | None


NOT_APPLICABLE = Decision("not applicable", None, False)
NO_FACE = Decision("no face", None, False)
NOT_EXAMINED = Decision("not assessable", Reason.FACE_NOT_EXAMINED, None)


@dataclass(frozen=True, slots=True)
class FacePlan:
    """What was decided from the pixels of a whole study, before any object is changed: one head frame per frame of reference."""

    decisions: Mapping[Path, Decision] = field(repr=False, default_factory=dict)  # by source path in scratch


def plan_faces(series: Sequence[SeriesFiles], policy: FacePolicy) -> FacePlan:
    """Look at every series of a study (source pixels in scratch) and decide where faces are. Never raises: trouble holds a series."""
    decisions: dict[Path, Decision] = {}
    for one in series:
        kinds = {file.file.path: kind_of(file.sop_class_uid, file.modality) for file in one.files}
        volume = [file for file in one.files if kinds[file.file.path] is Kind.VOLUME]
        seen = _decide_volume(volume)
        for file in one.files:
            kind = kinds[file.file.path]
            decisions[file.file.path] = NOT_APPLICABLE if kind is Kind.NOTHING else seen if kind is Kind.VOLUME else NOT_EXAMINED
    return FacePlan(decisions)


def _decide_volume(files: Sequence[SourceFile]) -> Decision:
    if not files:
        return NOT_EXAMINED
    try:
        geometry = read_geometry([file.file.path for file in files])
        if geometry.unplaced or not geometry.stacks:
            return NOT_EXAMINED
        is_ct = files[0].modality == "CT"
        seen = [_quick(stack, is_ct) for stack in geometry.stacks]
    except Exception:  # whatever a decoder or a header throws, the series is held (test_face_plan.py)
        return NOT_EXAMINED
    return NO_FACE if all(decision is NO_FACE for decision in seen) else NOT_EXAMINED


def _quick(stack: Stack, is_ct: bool) -> Decision:
    if len(stack.frames) < FEWEST_PLANES or stack.largest_gap_mm > LARGEST_GAP_MM:
        return NOT_EXAMINED
    coarse = coarse_volume(stack, QUICK_GRID_MM)
    outside = -1000.0 if is_ct else float(coarse.values.min())
    return NO_FACE if is_torso(find_body(in_patient_axes(coarse, QUICK_GRID_MM, outside), is_ct)) else NOT_EXAMINED
