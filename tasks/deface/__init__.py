"""Faces in CT, MR and PET: is there one, remove it, prove it gone (PS3.15 E.3.2, option 113102)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.intake import SeriesFiles
from tasks.model import FaceOutcome, Instance, Reason
from tasks.policy.faces import FacePolicy


@dataclass(frozen=True, slots=True)
class FacePlan:
    """What was decided from the pixels of a whole study, before any object is changed: one head frame per frame of reference."""


def plan_faces(series: Sequence[SeriesFiles], policy: FacePolicy) -> FacePlan:
    """Look at every series of a study (source pixels in scratch) and decide where faces are."""
    return FacePlan()


def deface_series(instances: Sequence[Instance], plan: FacePlan, policy: FacePolicy) -> list[FaceOutcome]:
    """Apply the plan to one series; one outcome per instance, in order. Geometry and voxels outside the mask are unchanged."""
    return [FaceOutcome(i, Reason.FACE_NOT_EXAMINED, "not assessable", None) for i in instances]


def judge_series(written: Sequence[Path], outcomes: Sequence[FaceOutcome], plan: FacePlan, policy: FacePolicy) -> list[FaceOutcome]:
    """Read the written objects of one series back and confirm or withdraw each outcome."""
    return list(outcomes)
