"""Look at the written objects of a series again and confirm or withdraw what was claimed of them.

The relief test needs nothing but the pixels and always decides. Detectors add to it where their environment is installed; where
it is not, that is said in a finding. Nothing here changes a voxel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from tasks.deface.body import Mask
from tasks.deface.decision import NOT_APPLICABLE, Decision
from tasks.deface.detectors import LIMITS, LIMITS_OF_BRAINS, Detections, Embedding, detect_faces, judge_interpreter
from tasks.deface.evidence import sample
from tasks.deface.geometry import Matrix, Stack, read_geometry
from tasks.deface.head import face_volume
from tasks.deface.look import Sight, View, outside_value
from tasks.deface.region import GRID_MM, Region, region_grid
from tasks.deface.relief import RELIEF_LIMIT_MM, measure_relief
from tasks.deface.render import AROUND, VIEWS, Image, picture_box, render_views, skin_levels
from tasks.deface.volume import Values, Volume, coarse_volume
from tasks.model import FaceOutcome, Finding, Reason

JUDGED_STACKS = 4
WHOLE_FACE = 0.5
"""With this share of the face window in view, detectors must have fired on the original, else their silence says nothing."""
_CHANGED = 0.02  # of the range of values: what counts as changed for the peel attack
BONE_HU = 250.0
STEP_MM = 2.0
"""Between the samples of a head that is looked at, and so between the pixels of its pictures."""
_LOW, _SIZE = (-105.0, -152.0, -160.0), (106, 112, 128)
_FACE_MM = ((-52.0, -118.0), (52.0, -14.0))
"""(x, z) of the corners of what a recogniser is shown: from the chin to the brows, as its detector would frame it."""
RECOGNISED = 0.42
"""Below this distance a recogniser calls two faces one; its usual 0.6 would match half of all strangers in such pictures."""
DETECTED, RECOGNISED_AGAIN = "F2.detector", "F5.recognised"
SEEN = frozenset((DETECTED, RECOGNISED_AGAIN))
"""Rules of findings that say that a face is still seen."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the judge saw in one stack. `reason` is None when no face is left."""

    reason: Reason | None
    relief_mm: float | None
    detected_before: int | None  # pictures of the original in which a detector fired; None: not assessed
    detected_after: int | None
    detected_bone: int | None  # skulls make HOG fire, opened ones above all: reported, never decides
    detected_peeled: int | None  # with all changed voxels cut away: reported
    distance: float | None = None  # from original to result, least over the levels at which the original is a face; None: not assessed
    faces: tuple[tuple[Embedding, ...], tuple[Embedding, ...]] | None = field(repr=False, default=None)
    """Before and after, by level. PRIVACY: biometric; lives as long as the judgement and goes nowhere."""


def judge_stack(view: View, written: Stack, head: Matrix, claimed: str, cut: Region | None = None) -> Judgement:
    """Compare one written stack with its source in the head frame.

    Of what stays of a head that was `cut` to the brain, the relief says nothing: a frontal lobe is no face.
    """
    before = face_volume(view, head)
    after = face_volume(replace(view, stack=written), head, before.threshold)
    left = after.values if cut is None else np.where(_stays(cut), np.float32(after.values.min()), after.values)
    relief = _worst_relief(left, after.view, before.threshold, view.is_ct, cut_is_skin=claimed != "defaced")
    if claimed == "defaced" and relief is not None and relief >= RELIEF_LIMIT_MM:
        return Judgement(Reason.FACE_LEFT, relief, None, None, None, None)
    source, result = (whole_head(stack, view.is_ct, head) for stack in (view.stack, written))
    levels = skin_levels(before.threshold, view.is_ct)
    parts = [_pictures(source, levels), _pictures(result, levels)]
    parts += [_pictures(result, (BONE_HU,)) if view.is_ct else [], _pictures(_peeled(source, result), levels[1:2])]
    portraits = [picture for head_values in (source, result) for picture in render_views(head_values, STEP_MM, levels, VIEWS[:1])]
    pictures = [picture for part in parts for picture in part]
    seen = detect_faces(pictures, portraits, face_box(), LIMITS if cut is None else LIMITS_OF_BRAINS)
    unmeasured = claimed == "defaced" and cut is None and relief is None and before.relief.rms_mm is not None
    if seen is None:
        # PRIVACY: installed detectors that give no answer prove nothing; absent ones are said in a finding, where relief was measured
        # instead (test_face_replace.py).
        unheard = Reason.FACE_NOT_ASSESSABLE if unmeasured else None
        return Judgement(Reason.FACE_NOT_EXAMINED if judge_interpreter() is not None else unheard, relief, None, None, None, None)
    ends = np.cumsum([0, *(len(part) for part in parts)])
    counts = [seen.count(slice(int(first), int(last))) for first, last in pairwise(ends)]
    reason = Reason.FACE_LEFT if counts[1] else None  # one detector on one picture is enough
    is_whole = before.relief.in_view >= WHOLE_FACE and view.sight is Sight.HEAD
    if reason is None and claimed == "defaced" and not counts[0] and (is_whole or unmeasured):
        reason = Reason.FACE_NOT_ASSESSABLE  # PRIVACY: detectors that were blind before prove nothing after (test_face_replace.py)
    faces = None if seen.embeddings is None else (seen.embeddings[: len(levels)], seen.embeddings[len(levels) :])
    distance = _distance(seen, faces)
    if reason is None and claimed == "defaced" and distance is not None and distance < RECOGNISED:
        reason = Reason.FACE_LEFT
    return Judgement(reason, relief, counts[0], counts[1], counts[2], counts[3], distance, faces)


def _stays(cut: Region) -> Mask:
    return np.asarray(sample(Volume(cut.inside, cut.grid), np.eye(4), region_grid(), -1.0) <= GRID_MM, dtype=np.bool_)


def _pictures(values: Values, levels: Sequence[float]) -> list[Image]:
    return list(render_views(values, STEP_MM, levels, margin=AROUND))


def _distance(seen: Detections, faces: tuple[tuple[Embedding, ...], tuple[Embedding, ...]] | None) -> float | None:
    """Compare only pictures in which the original is a face: two views of no face are alike and say nothing."""
    apart = [
        float(np.linalg.norm(was - now))
        for n, (was, now) in enumerate(zip(*faces, strict=True) if faces else ())
        if seen.count(slice(n, n + 1))
    ]
    return min(apart, default=None)


def face_box() -> tuple[int, int, int, int]:
    """Return what of a portrait the recogniser is shown, in pixels: left, top, right, bottom."""
    low, high = (((corner[0] - _LOW[0]) / STEP_MM, (corner[1] - _LOW[2]) / STEP_MM) for corner in _FACE_MM)
    return picture_box(_SIZE[::-1], low, high)


def _worst_relief(values: Values, view: Mask, threshold: float, is_ct: bool, *, cut_is_skin: bool) -> float | None:
    levels = skin_levels(threshold, is_ct) if is_ct else (0.6 * threshold, threshold)
    measured = [measure_relief(values, level, view, cut_is_skin=cut_is_skin).rms_mm for level in levels]
    return max((rms for rms in measured if rms is not None), default=None)


def whole_head(stack: Stack, is_ct: bool, head: Matrix) -> Values:
    """Return a stack in the head frame as [z, y, x] at 2 mm, with its lowest level repeated below the field of view.

    What is cut open there shows the inside of the nose, which detectors take for a face though it is no skin.
    """
    grid = Volume(np.zeros(_SIZE[::-1], dtype=np.float32), np.diag([STEP_MM, STEP_MM, STEP_MM, 1.0]))
    grid.to_patient[:3, 3] = _LOW
    fine = coarse_volume(stack, STEP_MM)
    values = sample(fine, head, grid, outside_value(fine, is_ct))
    seen = sample(Volume(np.ones_like(fine.values), fine.to_patient), head, grid, 0.0) > 0.99
    lowest = np.where(seen.any(axis=0), seen.argmax(axis=0), 0)
    level = np.maximum(np.arange(len(values))[:, None, None], lowest)
    return np.asarray(np.take_along_axis(values, level, axis=0), dtype=np.float32)


def _peeled(source: Values, result: Values) -> Values:
    """The peel attack: what differs from its surroundings could be found without the source; at worst all of it is cut."""
    spread = float(np.percentile(source, 99) - np.percentile(source, 1))
    return np.where(np.abs(source - result) > _CHANGED * spread, float(source.min()), result).astype(np.float32)


def judge_written(written: Sequence[Path], outcomes: Sequence[FaceOutcome], decisions: Sequence[Decision]) -> list[FaceOutcome]:
    """Judge one series; a face left in one stack withdraws the claim for every object of the series."""
    claimed = [n for n, outcome in enumerate(outcomes) if outcome.reason is None and outcome.verdict in ("defaced", "already defaced")]
    if not claimed:
        return list(outcomes)
    decision = decisions[claimed[0]]
    if decision.head is None:
        return list(outcomes)
    if len(written) != len(decisions):
        return [_withdrawn(outcome, Reason.FACE_NOT_ASSESSABLE) for outcome in outcomes]
    with_pixels = [path for path, one in zip(written, decisions, strict=True) if one.verdict != NOT_APPLICABLE.verdict]
    stacks = read_geometry(with_pixels).stacks
    if len(stacks) != len(decision.views):
        return [_withdrawn(outcome, Reason.FACE_NOT_ASSESSABLE) for outcome in outcomes]
    step = -(-len(stacks) // JUDGED_STACKS)
    judgements = []
    for view, stack in list(zip(decision.views, stacks, strict=True))[::step]:
        if len(stack.frames) != len(view.stack.frames):
            return [_withdrawn(outcome, Reason.FACE_NOT_ASSESSABLE) for outcome in outcomes]
        judgements.append(judge_stack(view, stack, decision.head.to_patient, outcomes[claimed[0]].verdict, decision.head.cut))
    reason = next((judgement.reason for judgement in judgements if judgement.reason is not None), None)
    findings = [finding for judgement in judgements for finding in _findings(judgement, outcomes[claimed[0]])]
    judged = [_withdrawn(outcome, reason) for outcome in outcomes] if reason is not None else list(outcomes)
    judged[claimed[0]] = replace(judged[claimed[0]], findings=(*judged[claimed[0]].findings, *findings))
    return judged


def _withdrawn(outcome: FaceOutcome, reason: Reason) -> FaceOutcome:
    if outcome.reason is not None or outcome.verdict not in ("defaced", "already defaced"):
        return outcome
    return replace(outcome, reason=reason, verdict="face left" if reason is Reason.FACE_LEFT else "not assessable")


def _findings(judgement: Judgement, outcome: FaceOutcome) -> list[Finding]:
    """What the reviewer should know, as findings without values.

    F1 relief, F2 detectors, F3 peel attack, F4 bone, F5 recogniser, F0 not assessed.
    """
    uid, found = outcome.instance.sop_instance_uid, []
    if judgement.relief_mm is not None and judgement.relief_mm >= RELIEF_LIMIT_MM:
        found.append(Finding(uid, "pixels of the series", "face", "F1.relief", min(1.0, judgement.relief_mm / 6)))
    if judgement.detected_after is None:
        found.append(Finding(uid, "pixels of the series", "face", "F0.detectors-not-run", 0.0))
    elif judgement.detected_after:
        found.append(Finding(uid, "pixels of the series", "face", DETECTED, 1.0))
    elif judgement.faces is None:
        found.append(Finding(uid, "pixels of the series", "face", "F0.recogniser-not-run", 0.0))
    if judgement.distance is not None and judgement.distance < RECOGNISED:
        found.append(Finding(uid, "pixels of the series", "face", RECOGNISED_AGAIN, 1.0))
    if judgement.detected_bone:
        found.append(Finding(uid, "pixels of the series", "face", "F4.bone", min(1.0, judgement.detected_bone / 7)))
    if judgement.detected_peeled:
        found.append(Finding(uid, "pixels of the series", "face", "F3.peel", min(1.0, judgement.detected_peeled / 7)))
    return found
