"""Faces in CT, MR and PET: is there one, remove it, prove it gone (PS3.15 E.3.2, option 113102)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.deface.decision import NOT_EXAMINED, Decision, FacePlan, Job, Target
from tasks.deface.plan import plan_faces
from tasks.model import FaceOutcome, Instance, Reason
from tasks.policy.faces import FacePolicy

if TYPE_CHECKING:
    from tasks.deface.replace import Filling, RegionSampler

__all__ = ["METHOD", "FacePlan", "deface_series", "is_face_seen", "judge_series", "plan_faces", "surfaces_of"]

METHOD = "sallyport-{action} 3"
"""What stands in the object as the de-identification method; the number changes with the voxels that the method writes."""


def surfaces_of(policy: FacePolicy) -> int:
    """Return how many surfaces can be laid into the mask, one after another; only `replace` lays any."""
    from tasks.deface.region import SURFACES

    return len(SURFACES) if policy.action == "replace" else 1


def deface_series(instances: Sequence[Instance], plan: FacePlan, policy: FacePolicy, surface: int = 0) -> list[FaceOutcome]:
    """Apply the plan to one series; one outcome per instance, in order. Geometry and voxels outside the mask are unchanged.

    `surface` (0 is the first choice) says what is laid into the mask, which is the same for all of them.
    """
    samplers: dict[tuple[int, int], RegionSampler] = {}
    outcomes = []
    for instance in instances:
        decision = plan.decisions.get(instance.source.path, NOT_EXAMINED)
        if decision.job is None:
            outcomes.append(FaceOutcome(instance, decision.reason, decision.verdict, decision.face_in_fov))
            continue
        try:
            done = _overwritten(instance, decision.job, samplers, policy, surface)
        except (OSError, MemoryError):
            raise
        except Exception:  # a form of pixels that cannot be overwritten: held, never passed on as it is (test_face_replace.py)
            outcomes.append(FaceOutcome(instance, Reason.FACE_NOT_ASSESSABLE, "not assessable", decision.face_in_fov))
            continue
        outcomes.append(FaceOutcome(done, None, "defaced", True, METHOD.format(action=policy.action)))
    if any(outcome.reason is not None for outcome in outcomes):  # a series with a face in one of its objects passes in none
        return [_held(outcome, plan.decisions.get(outcome.instance.source.path, NOT_EXAMINED)) for outcome in outcomes]
    return outcomes


def _overwritten(
    instance: Instance, job: Job, samplers: dict[tuple[int, int], RegionSampler], policy: FacePolicy, surface: int
) -> Instance:
    from tasks.deface.apply import overwrite
    from tasks.deface.replace import RegionSampler
    from tasks.deface.sisters import clear_values, cut_contours

    def sampler(filling: Filling | None) -> RegionSampler:
        key = (id(job.head), id(filling))
        if key not in samplers:
            samplers[key] = RegionSampler(job.head, filling, policy.action, surface)
        return samplers[key]

    if job.target is Target.CONTOURS:
        return cut_contours(instance, job)
    if job.target is Target.VALUES_TO_ZERO:
        return clear_values(instance, job, sampler(None))
    for frame, place, filling in job.parts:
        instance = overwrite(instance, [(frame, place)], sampler(filling), job.is_ct)
    return instance


def _held(outcome: FaceOutcome, decision: Decision) -> FaceOutcome:
    if outcome.reason is not None or decision.job is None:
        return outcome
    return FaceOutcome(outcome.instance, Reason.FACE_NOT_ASSESSABLE, "not assessable", outcome.face_in_fov, outcome.method)


def judge_series(written: Sequence[Path], outcomes: Sequence[FaceOutcome], plan: FacePlan, policy: FacePolicy) -> list[FaceOutcome]:
    """Read the written objects of one series back and confirm or withdraw each outcome."""
    from tasks.deface.judge import judge_written

    return judge_written(written, outcomes, [plan.decisions.get(o.instance.source.path, NOT_EXAMINED) for o in outcomes])


def is_face_seen(judged: Sequence[FaceOutcome]) -> bool:
    """Return whether a detector or the recogniser still sees a face in what this method overwrote: another surface may end that."""
    from tasks.deface.judge import SEEN

    return any(o.method for o in judged) and any(finding.rule in SEEN for o in judged for finding in o.findings)
