"""What was decided for an object, and for a whole study: the values that the steps of this package hand on.

No behaviour belongs here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tasks.deface.geometry import Frame
from tasks.deface.head import Head
from tasks.deface.look import View
from tasks.deface.replace import Filling
from tasks.model import Reason


class Target(StrEnum):
    """What of an object is overwritten."""

    VOXELS = "voxels"
    VALUES_TO_ZERO = "values to zero"  # segments, dose
    CONTOURS = "contours"


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be overwritten in one object: frames with their place in the stack, by one head's region and one filling."""

    head: Head = field(repr=False)
    parts: tuple[tuple[Frame, int, Filling | None], ...] = field(repr=False)
    is_ct: bool
    target: Target = Target.VOXELS


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
