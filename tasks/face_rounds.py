"""The face stage of one series in rounds: deface, write, judge what was written, and again where a face is still seen.

The next round lays another surface into the same mask. What a pass does and what the judge sees belongs to `tasks.deface`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tasks import deface
from tasks.guard import guarded, whole
from tasks.model import FaceOutcome, Finding, Instance, Reason
from tasks.policy.faces import FacePolicy


@dataclass(frozen=True, slots=True)
class FaceRounds:
    """How the rounds of one series ended; one outcome per instance, in order."""

    written: tuple[FaceOutcome, ...]  # as the objects were written last, before the judge
    judged: tuple[FaceOutcome, ...]
    rounds: int


def deface_until_clear(
    instances: Sequence[Instance],
    plan: deface.FacePlan | None,
    policy: FacePolicy,
    write: Callable[[Sequence[FaceOutcome]], Sequence[Path]],
) -> FaceRounds:
    """Deface a series until no detector fires on what `write` wrote, or no surface is left: then it stays held.

    PRIVACY: a round that fails anywhere, and a study without a plan, leave the series unexamined (tests/unit/test_face_rounds.py).
    Raises machine trouble, a judge that was not done in time included: such a study is done again.
    """
    seen: list[tuple[Finding, ...]] = [() for _ in instances]
    surfaces = deface.surfaces_of(policy)
    for surface in range(surfaces):
        written = _pass(instances, plan, policy, surface)
        own = _look(write(written), written, plan, policy)
        judged = [replace(face, findings=(*earlier, *face.findings)) for earlier, face in zip(seen, own, strict=True)]
        if surface + 1 == surfaces or not deface.is_face_seen(own):
            break
        seen = [face.findings for face in judged]
    return FaceRounds(tuple(written), tuple(judged), surface + 1)


def _pass(instances: Sequence[Instance], plan: deface.FacePlan | None, policy: FacePolicy, surface: int) -> list[FaceOutcome]:
    done: list[FaceOutcome] | Reason = Reason.FACE_NOT_EXAMINED
    if plan is not None:
        done, _ = guarded(lambda: deface.deface_series(instances, plan, policy, surface), Reason.FACE_NOT_EXAMINED)
    return whole(done, len(instances)) or [FaceOutcome(i, Reason.FACE_NOT_EXAMINED, "not assessable", None) for i in instances]


def _look(paths: Sequence[Path], written: Sequence[FaceOutcome], plan: deface.FacePlan | None, policy: FacePolicy) -> list[FaceOutcome]:
    verdicts: list[FaceOutcome] | Reason = Reason.FACE_NOT_EXAMINED
    if plan is not None:
        verdicts, _ = guarded(lambda: deface.judge_series(paths, written, plan, policy), Reason.FACE_NOT_EXAMINED)
    unheard = [replace(f, reason=f.reason or Reason.FACE_NOT_EXAMINED, verdict="not assessable") for f in written]
    return whole(verdicts, len(written)) or unheard
