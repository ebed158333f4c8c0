"""The decision for every object of a study, from source pixels, before any object is changed.

One head frame per frame of reference serves all series that share it. Whatever cannot be decided is held with a reason.
Changing pixels belongs to `apply`, looking at the result to `judge`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from tasks.deface.geometry import Frame, SeriesGeometry, Stack, read_geometry
from tasks.deface.head import FaceVolume, Head, agrees, define_head, face_volume
from tasks.deface.kinds import Kind, kind_of
from tasks.deface.look import Sight, View, look_at
from tasks.deface.relief import RELIEF_LIMIT_MM
from tasks.deface.replace import Filling, make_filling
from tasks.intake import SeriesFiles
from tasks.model import Reason
from tasks.policy.faces import FacePolicy

T = TypeVar("T")

LEAST_TISSUE_MM3 = 400.0  # less tissue than this in the whole region is noise or a coil
LEAST_SKIN = 0.25  # of the face window's columns; faces 0.62 and more, cut faces 0.13
EXAMINED_REPEATS = 4  # of the stacks of a 4-D series; the others borrow from the one before


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be overwritten in one object: frames with their place in the stack, by one head's region and one filling."""

    head: Head = field(repr=False)
    parts: tuple[tuple[Frame, int, Filling], ...] = field(repr=False)
    is_ct: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """What the pixels of one object's series say: the verdict, and the reason when the object must be held."""

    verdict: str
    reason: Reason | None
    face_in_fov: bool | None
    job: Job | None = field(repr=False, default=None)
    views: tuple[View, ...] = field(repr=False, default=())  # what the judge compares with
    head: Head | None = field(repr=False, default=None)


NOT_APPLICABLE = Decision("not applicable", None, False)
NO_FACE = Decision("no face", None, False)
NOT_EXAMINED = Decision("not assessable", Reason.FACE_NOT_EXAMINED, None)
NOT_ASSESSABLE = Decision("not assessable", Reason.FACE_NOT_ASSESSABLE, None)
IN_SISTER = Decision("not assessable", Reason.FACE_IN_SISTER, None)
TO_DEFACE = Decision("defaced", None, True)
ALREADY_DEFACED = Decision("already defaced", None, True)


@dataclass(frozen=True, slots=True)
class FacePlan:
    """What was decided from the pixels of a whole study, before any object is changed: one head frame per frame of reference."""

    decisions: Mapping[Path, Decision] = field(repr=False, default_factory=dict)  # by source path in scratch


@dataclass(frozen=True, slots=True)
class _Survey:
    """One series of volumes as it was seen; `geometry` is None when it could not be read."""

    key: str = field(repr=False)  # frame of reference, or the series itself without one
    geometry: SeriesGeometry | None = field(repr=False)
    views: tuple[View, ...] = field(repr=False, default=())


def plan_faces(series: Sequence[SeriesFiles], policy: FacePolicy) -> FacePlan:
    """Look at every series of a study (source pixels in scratch) and decide where faces are. Trouble with pixels holds a series."""
    decisions: dict[Path, Decision] = {}
    surveys: list[_Survey] = []
    for one in series:
        by_kind: dict[Kind, list[Path]] = {}
        for file in one.files:
            by_kind.setdefault(kind_of(file.sop_class_uid, file.modality), []).append(file.file.path)
        for path in by_kind.pop(Kind.NOTHING, []):
            decisions[path] = NOT_APPLICABLE
        volumes = by_kind.pop(Kind.VOLUME, [])
        decisions.update(dict.fromkeys((path for paths in by_kind.values() for path in paths), NOT_EXAMINED))
        if volumes:
            decisions.update(dict.fromkeys(volumes, NOT_EXAMINED))
            surveys.append(_survey(volumes, one.modality == "CT", one.series_instance_uid))
    for key in dict.fromkeys(survey.key for survey in surveys):
        together = [survey for survey in surveys if survey.key == key]
        head = _held(lambda together=together: define_head([view for s in together for view in s.views]))  # type: ignore[misc]  # bound now
        for survey in together:
            decisions.update(_decide(survey, head[0] if isinstance(head, tuple) else None, head is _FAILED, policy))
    return FacePlan(decisions)


class _Failed:
    pass


_FAILED = _Failed()


def _held(step: Callable[[], T]) -> T | _Failed:
    """Run a step on pixels; whatever a decoder, a header or a registration throws, the series is held (test_face_plan.py)."""
    try:
        return step()
    except (OSError, MemoryError):
        raise
    except Exception:
        return _FAILED


def _survey(paths: Sequence[Path], is_ct: bool, series_uid: str) -> _Survey:
    geometry = _held(lambda: read_geometry(paths))
    if isinstance(geometry, _Failed):
        return _Survey(series_uid, None)
    views: list[View] = []
    for stack, model in _repeats(geometry.stacks):
        if model is not None:
            views.append(
                View(stack, views[model].sight, is_ct, views[model].pose, views[model].evidence, views[model].body, views[model].valid)
            )
            continue
        seen = _held(lambda stack=stack: look_at(stack, is_ct))  # type: ignore[misc]  # bound now
        if isinstance(seen, _Failed):
            return _Survey(geometry.frame_of_reference_uid or series_uid, None)
        views.append(seen)
    return _Survey(geometry.frame_of_reference_uid or series_uid, geometry, tuple(views))


def _repeats(stacks: Sequence[Stack]) -> list[tuple[Stack, int | None]]:
    """Pair each stack with the index of the one it borrows its look from: 4-D series are examined EXAMINED_REPEATS times."""
    same: dict[tuple[object, ...], list[int]] = {}
    for index, stack in enumerate(stacks):
        key = (stack.frames[0].shape, len(stack.frames), tuple(np.round(stack.frames[0].to_patient.ravel(), 1)))
        same.setdefault(key, []).append(index)
    borrowed: dict[int, int | None] = {}
    for group in same.values():
        step = -(-len(group) // EXAMINED_REPEATS)
        for n, index in enumerate(group):
            borrowed[index] = None if n % step == 0 else group[n - n % step]
    return [(stack, borrowed[index]) for index, stack in enumerate(stacks)]


def _decide(survey: _Survey, head: Head | None, failed: bool, policy: FacePolicy) -> dict[Path, Decision]:
    """Decide for every file of one series: its gravest stack decides for all its files, so that no half series passes."""
    if survey.geometry is None or survey.geometry.unplaced or failed:
        paths = {frame.path for view in survey.views for frame in view.stack.frames}
        paths.update(survey.geometry.unplaced if survey.geometry else ())
        return dict.fromkeys(paths, NOT_EXAMINED)
    results: list[tuple[View, Decision, Filling | None]] = []
    faces: dict[int, FaceVolume] = {}
    for view in survey.views:
        decided = _held(lambda view=view: _decide_view(view, head, faces, policy))  # type: ignore[misc]  # bound now
        results.append((view, NOT_ASSESSABLE, None) if isinstance(decided, _Failed) else (view, *decided))
    by_path: dict[Path, list[tuple[View, Frame, int, Decision, Filling | None]]] = {}
    for view, decision, filling in results:
        for place, frame in enumerate(view.stack.frames):
            by_path.setdefault(frame.path, []).append((view, frame, place, decision, filling))
    gravest = min((decision for _, decision, _ in results), key=_gravity, default=NOT_EXAMINED)
    if gravest.reason is not None:
        return dict.fromkeys(by_path, gravest)
    decisions = {}
    views = tuple(view for view, _, _ in results)
    for path, parts in by_path.items():
        own = min((decision for *_, decision, _ in parts), key=_gravity)
        if own is TO_DEFACE and head is not None:
            todo = tuple((frame, place, filling) for _, frame, place, _, filling in parts if filling is not None)
            own = Decision(own.verdict, None, True, Job(head, todo, parts[0][0].is_ct), views, head)
        elif own is ALREADY_DEFACED:
            own = Decision(own.verdict, None, True, None, views, head)
        decisions[path] = own
    return decisions


def _gravity(decision: Decision) -> int:
    order = ["not assessable", "face left", "defaced", "already defaced", "no face", "not applicable"]
    return order.index(decision.verdict)


def _decide_view(view: View, head: Head | None, faces: dict[int, FaceVolume], policy: FacePolicy) -> tuple[Decision, Filling | None]:
    if view.sight is Sight.TORSO and head is None:
        return NO_FACE, None
    if head is None:
        return (NOT_ASSESSABLE if view.sight is not Sight.THIN else NOT_EXAMINED), None
    if not agrees(view, head):
        return NOT_ASSESSABLE, None  # PRIVACY: a frame that one of two sisters contradicts is applied to neither
    face = face_volume(view, head.to_patient)
    seen = face.view.astype(bool)
    tissue = float((seen & (head.region.inside > 0) & (face.values > face.threshold)).sum()) * 8.0
    if tissue < LEAST_TISSUE_MM3:
        return NO_FACE, None
    if policy.action == "quarantine":
        return Decision("face left", Reason.FACE_LEFT, True), None
    if policy.action == "keep":
        return Decision("face left", None, True), None
    if view.sight is Sight.HEAD and _is_defaced(face):
        return ALREADY_DEFACED, None
    return TO_DEFACE, make_filling(face, head, view.is_ct)


def _is_defaced(face: FaceVolume) -> bool:
    """True when what should be a face is cut away or smooth; the judge still looks at it."""
    if face.relief.in_view < 0.3:
        return False
    if face.relief.with_skin < LEAST_SKIN:
        return True
    return face.relief.rms_mm is not None and face.relief.rms_mm < RELIEF_LIMIT_MM and face.relief.with_skin > 0.6
