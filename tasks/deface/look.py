"""Look at one stack: torso, head at a pose, or something else, from a coarse copy of its pixels.

Every CT, MR and PET stack passes here, so the cheap answers come first. What follows from the answers belongs to `plan`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial

import numpy as np

from tasks.deface.body import Body, Mask, find_body, is_cut_at_top, is_torso
from tasks.deface.evidence import HeadEvidence, weigh_head
from tasks.deface.geometry import Stack
from tasks.deface.mark import is_marked
from tasks.deface.register import Pose, find_pose
from tasks.deface.volume import Volume, coarse_volume, in_patient_axes

QUICK_GRID_MM = 6.0
POSE_GRID_MM = 4.0
FEWEST_PLANES = 8  # fewer planes, or planes further apart than LARGEST_GAP_MM, say too little about a surface
LARGEST_GAP_MM = 15.0
LEAST_SPAN_MM = 45.0
HOPELESS = -0.2
QUARTER_TURNS = (90.0, -90.0, 180.0)
MISSING_MM = (60.0, 30.0, 90.0)
"""How much of the vault may lie above the field of view."""
PROMISING, PROMISING_TURNED = -0.4, -0.3
"""Coarse mutual information from which a search is worth its time: cut heads -0.58..-0.89, limbs -0.15..-0.37."""
_UPSIDE_DOWN = np.diag([-1.0, 1.0, -1.0, 1.0])


class Sight(StrEnum):
    """What a stack turned out to be."""

    NOTHING = "nothing"  # no tissue at all
    TORSO = "torso"
    HEAD = "head"
    OTHER = "other"  # no torso, and the average head does not explain it
    MARKED = "marked"  # this method has been over it before
    THIN = "thin"  # too few planes, or too far apart, to say


@dataclass(frozen=True, slots=True)
class View:
    """One stack as it was seen; `upright`, `valid` and `body` are None for what was decided without them."""

    stack: Stack
    sight: Sight
    is_ct: bool
    pose: Pose | None = None
    evidence: HeadEvidence | None = None
    body: Body | None = field(repr=False, default=None)
    valid: Mask | None = field(repr=False, default=None)


def outside_value(volume: Volume, is_ct: bool) -> float:
    """Return the value of air beyond the field of view."""
    return -1000.0 if is_ct else float(np.percentile(volume.values, 1))


def look_at(stack: Stack, is_ct: bool) -> View:
    """Say what a stack shows. Raises what decoding raises."""
    if len(stack.frames) < FEWEST_PLANES:
        return View(stack, Sight.THIN, is_ct)
    quick = coarse_volume(stack, QUICK_GRID_MM)
    body = find_body(in_patient_axes(quick, QUICK_GRID_MM, outside_value(quick, is_ct)), is_ct)
    if not body.mask.any():
        return View(stack, Sight.THIN, is_ct)  # PRIVACY: no contrast that we understand is no proof (test_face_plan.py)
    if is_torso(body):
        return View(stack, Sight.TORSO, is_ct)
    if stack.largest_gap_mm > LARGEST_GAP_MM or stack.span_mm < LEAST_SPAN_MM:
        return View(stack, Sight.THIN, is_ct)
    if is_marked(stack):
        return View(stack, Sight.MARKED, is_ct)
    coarse = coarse_volume(stack, POSE_GRID_MM)
    upright = in_patient_axes(coarse, POSE_GRID_MM, outside_value(coarse, is_ct))
    valid = in_patient_axes(Volume(np.ones_like(coarse.values), coarse.to_patient), POSE_GRID_MM, 0.0).values > 0.5
    body = find_body(upright, is_ct)
    pose, evidence = _best_pose(upright, valid, body, is_ct)
    sight = Sight.HEAD if evidence is not None and evidence.is_head else Sight.OTHER
    return View(stack, sight, is_ct, pose, evidence, body, valid)


def _best_pose(upright: Volume, valid: Mask, body: Body, is_ct: bool) -> tuple[Pose | None, HeadEvidence | None]:
    """Try the positions of a head from the likeliest to the rarest, and stop at the first that explains the volume."""
    pose, evidence = None, None
    for is_rare, search in _searches(upright, valid, body, is_ct):
        if is_rare and evidence is not None and not evidence.may_be_head and evidence.information > HOPELESS:
            break  # nothing like skin around a skull: turning it will not make it a head
        found = search()
        if found is None:
            continue
        weighed = weigh_head(found, body, valid, is_ct)
        if evidence is None or _rank(weighed) > _rank(evidence):
            pose, evidence = found, weighed
        if evidence.is_head:
            break
    return pose, evidence


def _rank(evidence: HeadEvidence) -> tuple[bool, bool, float]:
    return evidence.is_head, evidence.is_possible, evidence.together


def _searches(upright: Volume, valid: Mask, body: Body, is_ct: bool) -> Iterator[tuple[bool, Callable[[], Pose | None]]]:
    """Yield the searches, and whether each is for a rare position (a wrong header)."""
    search = partial(find_pose, upright, valid, body, is_ct)
    yield False, search
    if is_cut_at_top(body, valid):
        yield False, partial(search, missing_mm=MISSING_MM, promising=PROMISING)
    yield True, partial(search, QUARTER_TURNS, promising=PROMISING_TURNED, is_rare=True)
    yield True, lambda: _find_upside_down(upright, valid, body, is_ct)


def _find_upside_down(upright: Volume, valid: Mask, body: Body, is_ct: bool) -> Pose | None:
    """Find a head whose header calls the feet the head: the volume is turned over, and the pose back."""
    size = np.array(upright.values.shape[::-1])
    turned_over = upright.to_patient.copy()
    last = upright.to_patient @ np.array([size[0] - 1, 0, size[2] - 1, 1.0])
    turned_over[:3, 3] = (_UPSIDE_DOWN @ last)[:3]
    turned_over[1, 3] = upright.to_patient[1, 3]
    over = Volume(np.ascontiguousarray(upright.values[::-1, :, ::-1]), turned_over)
    body_over = Body(over, body.mask[::-1, :, ::-1].copy(), body.threshold)
    found = find_pose(over, valid[::-1, :, ::-1].copy(), body_over, is_ct, promising=PROMISING_TURNED, is_rare=True)
    return None if found is None else Pose(_UPSIDE_DOWN @ found.to_patient, found.information)
