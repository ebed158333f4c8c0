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

from tasks.deface.decision import (
    ALREADY_DEFACED,
    IN_SISTER,
    NO_FACE,
    NOT_APPLICABLE,
    NOT_ASSESSABLE,
    NOT_EXAMINED,
    TO_DEFACE,
    Decision,
    FacePlan,
    Job,
)
from tasks.deface.doubtful import Doubt, ask_detectors, body_pictures, file_pictures, frame_pictures
from tasks.deface.geometry import Frame, SeriesGeometry, Stack, has_pixels, read_geometry
from tasks.deface.head import FaceVolume, Head, agrees, define_head, face_volume
from tasks.deface.kinds import Kind, kind_of
from tasks.deface.look import FEWEST_PLANES, Sight, View, look_at
from tasks.deface.proof import is_far_from_a_head
from tasks.deface.relief import RELIEF_LIMIT_MM
from tasks.deface.render import Image
from tasks.deface.replace import Filling, make_filling, touches_tissue
from tasks.deface.sisters import FrameOfReference, all_clear, decide_sister
from tasks.deface.wrap import wraps_around
from tasks.intake import SeriesFiles, SourceFile
from tasks.model import Reason
from tasks.policy.faces import FacePolicy

T = TypeVar("T")

LEAST_TISSUE_MM3 = 400.0  # less tissue than this in the whole region is noise or a coil
LEAST_SKIN = 0.25  # of the face window's columns; faces 0.62 and more, cut faces 0.13
SISTERS = (Kind.MASK, Kind.DOSE, Kind.CONTOURS, Kind.SURFACE)
EXAMINED_REPEATS = 4  # of the stacks of a 4-D series; the others borrow from the one before


@dataclass(frozen=True, slots=True)
class _Survey:
    """One series of volumes as it was seen; `geometry` is None when it could not be read."""

    key: str = field(repr=False)  # frame of reference, or the series itself without one
    geometry: SeriesGeometry | None = field(repr=False)
    is_ct: bool = False
    views: tuple[View, ...] = field(repr=False, default=())

    @property
    def is_whole(self) -> bool:
        """Whether every frame of the series lies in one of its stacks."""
        return self.geometry is not None and not self.geometry.unplaced and bool(self.views)


def plan_faces(series: Sequence[SeriesFiles], policy: FacePolicy) -> FacePlan:
    """Look at every series of a study (source pixels in scratch) and decide where faces are. Trouble with pixels holds a series."""
    decisions: dict[Path, Decision] = {}
    surveys: list[_Survey] = []
    pictures: list[Path] = []
    sisters: list[tuple[Path, Kind]] = []
    for one in series:
        by_kind: dict[Kind, list[Path]] = {}
        for file in one.files:
            by_kind.setdefault(_kind(file), []).append(file.file.path)
            decisions[file.file.path] = NOT_EXAMINED
        decisions.update(dict.fromkeys(by_kind.get(Kind.NOTHING, ()), NOT_APPLICABLE))
        pictures += by_kind.get(Kind.PICTURE, ())
        sisters += [(path, kind) for kind in SISTERS for path in by_kind.get(kind, ())]
        if Kind.VOLUME in by_kind:
            surveys.append(_survey(by_kind[Kind.VOLUME], one.modality == "CT", one.series_instance_uid))
    heads: dict[str, Head | _Failed | None] = {}
    for key in dict.fromkeys(survey.key for survey in surveys):
        views = [view for survey in surveys if survey.key == key for view in survey.views]
        heads[key] = _held(lambda views=views: define_head(views, policy.action))  # type: ignore[misc]  # bound now
    for survey in surveys:
        decisions.update(_decide(survey, heads[survey.key], policy))
    a_head = any(head is not None for head in heads.values())
    decisions.update(_decide_doubtful([s for s in surveys if heads[s.key] is None], pictures, a_head))
    for survey in surveys:
        decisions.update(_decide_projected(survey, surveys, heads[survey.key], decisions))
    frames = {survey.key: _frame_of_reference(survey.key, surveys, heads, decisions) for survey in surveys if survey.is_whole}
    for path, kind in sisters:
        sister = _held(lambda path=path, kind=kind: decide_sister(path, kind, frames))  # type: ignore[misc]  # bound now
        decisions[path] = NOT_EXAMINED if isinstance(sister, _Failed) else sister
    return FacePlan(decisions)


def _kind(file: SourceFile) -> Kind:
    """Say what an object can show of a face; without pixel data an image shows nothing, whatever it says of itself."""
    kind = kind_of(file.sop_class_uid, file.modality)
    if kind in (Kind.NOTHING, Kind.CONTOURS, Kind.SURFACE):
        return kind
    return Kind.NOTHING if _held(lambda: has_pixels(file.file.path)) is False else kind


def _decide_projected(
    survey: _Survey, surveys: Sequence[_Survey], head: Head | _Failed | None, decisions: Mapping[Path, Decision]
) -> dict[Path, Decision]:
    """Decide for projections by the volumes of their frame of reference: a region of space cannot be cut out of a projection.

    PRIVACY: where no volume says that there is no head, detectors do not see the profile in them (test_face_shapes.py).
    """
    if survey.geometry is None:
        return {}
    is_scout = survey.is_ct and "LOCALIZER" in survey.geometry.image_types  # a radiograph; in MR a localizer is made of planes
    if not (survey.geometry.is_projected or (is_scout and head is not None)):
        return {}
    paths = {frame.path for stack in survey.geometry.stacks for frame in stack.frames}
    if head is not None:
        return dict.fromkeys(paths, IN_SISTER)
    volumes = [s for s in surveys if s.key == survey.key and s.geometry is not None and not s.geometry.is_projected]
    seen = [decisions[frame.path] for s in volumes for view in s.views for frame in view.stack.frames]
    return dict.fromkeys(paths, NO_FACE if seen and all(s.is_whole for s in volumes) and all_clear(seen) else NOT_ASSESSABLE)


def _frame_of_reference(
    key: str, surveys: Sequence[_Survey], heads: dict[str, Head | _Failed | None], decisions: dict[Path, Decision]
) -> FrameOfReference:
    head = heads[key]
    together = [survey for survey in surveys if survey.key == key]
    decided = [decisions[frame.path] for survey in together for view in survey.views for frame in view.stack.frames]
    clear = all(survey.is_whole for survey in together) and all_clear(decided)
    return FrameOfReference(head if isinstance(head, Head) else None, clear and not isinstance(head, _Failed))


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
        return _Survey(series_uid, None, is_ct)
    views: list[View] = []
    for stack, model in _repeats(geometry.stacks):
        if model is not None:
            views.append(
                View(stack, views[model].sight, is_ct, views[model].pose, views[model].evidence, views[model].body, views[model].valid)
            )
            continue
        seen = _held(lambda stack=stack: look_at(stack, is_ct))  # type: ignore[misc]  # bound now
        if isinstance(seen, _Failed):
            return _Survey(geometry.frame_of_reference_uid or series_uid, None, is_ct)
        views.append(seen)
    return _Survey(geometry.frame_of_reference_uid or series_uid, geometry, is_ct, tuple(views))


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


def _decide_doubtful(surveys: Sequence[_Survey], pictures: Sequence[Path], a_head: bool) -> dict[Path, Decision]:
    """Decide for what no head frame explains, by what the detectors see; in a study with a head such things are held.

    PRIVACY: a localizer, a profile or a capture beside a head shows that head where detectors are blind (test_face_plan.py).
    """
    doubts: list[Doubt] = []
    for number, survey in enumerate(surveys):
        for view in survey.views if survey.is_whole else ():
            shown = _held(lambda view=view: _shown(view, a_head))  # type: ignore[misc]  # bound now
            if shown is None:
                continue
            doubts.append(Doubt(f"series {number}", () if isinstance(shown, _Failed) else shown))
    if not a_head:
        for path in pictures:
            shown = _held(lambda path=path: file_pictures(path))  # type: ignore[misc]  # bound now
            doubts.append(Doubt(str(path), () if isinstance(shown, _Failed) else shown or ()))
    empty = {doubt.key for doubt in doubts if not doubt.pictures}
    seen = ask_detectors([doubt for doubt in doubts if doubt.key not in empty])
    decisions: dict[Path, Decision] = {}
    for number, survey in enumerate(surveys):
        if survey.is_whole and any(doubt.key == f"series {number}" for doubt in doubts):
            decided = _by_detectors(f"series {number}", seen, empty)
            decisions.update(dict.fromkeys((frame.path for view in survey.views for frame in view.stack.frames), decided))
    for path in pictures:
        decisions[path] = IN_SISTER if a_head else _by_detectors(str(path), seen, empty)
    return decisions


def _shown(view: View, a_head: bool) -> tuple[Image, ...] | None:
    """Return the pictures of a view that only detectors can decide; None when it is decided, empty when nothing can be shown."""
    if view.sight in (Sight.TORSO, Sight.MARKED):
        return None
    if view.sight is Sight.OTHER:
        return body_pictures(view) if is_far_from_a_head(view) else ()
    if a_head or len(view.stack.frames) >= FEWEST_PLANES:
        return ()  # PRIVACY: slices of a head with a gap in it look like no face one by one (test_face_plan.py)
    return frame_pictures(view)


def _by_detectors(key: str, seen: dict[str, bool] | None, empty: set[str]) -> Decision:
    if seen is None or key in empty or key not in seen:
        return NOT_ASSESSABLE
    return Decision("not assessable", Reason.FACE_NOT_ASSESSABLE, True) if seen[key] else NO_FACE


def _decide(survey: _Survey, head: Head | _Failed | None, policy: FacePolicy) -> dict[Path, Decision]:
    """Decide for every file of one series: its gravest stack decides for all its files, so that no half series passes."""
    if survey.geometry is None or not survey.is_whole or isinstance(head, _Failed):
        return {}
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
    if view.sight is Sight.MARKED:
        return ALREADY_DEFACED, None
    if head is None:
        return (NO_FACE if view.sight is Sight.TORSO else NOT_ASSESSABLE), None
    if not agrees(view, head):
        return NOT_ASSESSABLE, None  # PRIVACY: a frame that one of two sisters contradicts is applied to neither
    face = face_volume(view, head.to_patient)
    seen = face.view.astype(bool)
    tissue = float((seen & (head.region.inside > 0) & (face.values > face.threshold)).sum()) * 8.0
    if tissue < LEAST_TISSUE_MM3 and not (len(view.stack.frames) < FEWEST_PLANES and touches_tissue(view.stack, head, face.threshold)):
        return NO_FACE, None
    if policy.action == "quarantine":
        return Decision("face left", Reason.FACE_LEFT, True), None
    if policy.action == "keep":
        return Decision("face left", None, True), None
    if policy.action != "brain" and view.sight is Sight.HEAD and _is_defaced(face):
        return ALREADY_DEFACED, None
    if not view.is_ct and wraps_around(view.stack, head.to_patient, face.threshold):
        return NOT_ASSESSABLE, None
    return TO_DEFACE, make_filling(face, head, view.is_ct)


def _is_defaced(face: FaceVolume) -> bool:
    """True when what should be a face is cut away or smooth; the judge still looks at it."""
    if face.relief.in_view < 0.3:
        return False
    if face.relief.with_skin < LEAST_SKIN:
        return True
    return face.relief.rms_mm is not None and face.relief.rms_mm < RELIEF_LIMIT_MM and face.relief.with_skin > 0.6
