"""Objects that repeat the outline of a head: segmentations, dose grids, contours and meshes in the same frame of reference.

What the images of that frame were found to show decides. Volumes are no sisters here: they are decided by `plan`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as with_fields
from pathlib import Path
from typing import Any

import numpy as np

from tasks.deface.apply import CannotWriteError
from tasks.deface.decision import IN_SISTER, NO_FACE, Decision, Job, Target
from tasks.deface.geometry import read_geometry
from tasks.deface.head import Head
from tasks.deface.kinds import Kind
from tasks.deface.replace import RegionSampler
from tasks.model import Instance

MARGIN_MM = 1.0
_NATIVE_LITTLE = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"})


@dataclass(frozen=True, slots=True)
class FrameOfReference:
    """What the volumes of one frame of reference were found to show; `head` is None when none is a head."""

    head: Head | None = field(repr=False)
    all_clear: bool  # every volume of it is decided, and none shows a face


def decide_sister(path: Path, kind: Kind, frames: Mapping[str, FrameOfReference]) -> Decision:
    """Decide for one object. Raises what reading raises.

    PRIVACY: a frame of reference whose images were not seen, or not cleared, holds everything in it (test_face_sisters.py).
    """
    known = [frames.get(uid) for uid in _frames_of_reference(path)]
    heads = [frame.head for frame in known if frame is not None and frame.head is not None]
    if known and all(frame is not None and frame.head is None and frame.all_clear for frame in known):
        return NO_FACE
    if len(known) != 1 or len(heads) != 1 or kind is Kind.SURFACE:
        return IN_SISTER
    if kind is Kind.CONTOURS:
        return Decision("defaced", None, True, Job(heads[0], (), False, Target.CONTOURS))
    geometry = read_geometry([path])
    if geometry.unplaced or not geometry.stacks:
        return IN_SISTER
    parts = tuple((frame, place, None) for stack in geometry.stacks for place, frame in enumerate(stack.frames))
    return Decision("defaced", None, True, Job(heads[0], parts, False, Target.VALUES_TO_ZERO))


def _frames_of_reference(path: Path) -> list[str]:
    from pydicom import dcmread

    header = dcmread(
        path,
        stop_before_pixels=True,
        force=True,
        specific_tags=["FrameOfReferenceUID", "StructureSetROISequence", "ReferencedFrameOfReferenceSequence"],
    )
    found = {str(header.get("FrameOfReferenceUID") or "")}
    for item in (*(header.get("StructureSetROISequence") or ()), *(header.get("ReferencedFrameOfReferenceSequence") or ())):
        found.add(str(item.get("ReferencedFrameOfReferenceUID") or item.get("FrameOfReferenceUID") or ""))
    return sorted(found - {""})


def clear_values(instance: Instance, job: Job, sampler: RegionSampler) -> Instance:
    """Return the instance with every value in the region set to zero (segments, dose), or the same instance when none was there."""
    dataset = instance.dataset
    bits = int(dataset.BitsAllocated)
    if instance.transfer_syntax_uid not in _NATIVE_LITTLE or bits not in (1, 8, 16, 32) or int(dataset.get("SamplesPerPixel", 1)) != 1:
        raise CannotWriteError
    shape = (int(dataset.get("NumberOfFrames", 1) or 1), int(dataset.Rows), int(dataset.Columns))
    count = int(np.prod(shape))
    data = bytes(dataset.PixelData)
    if bits == 1:
        flat = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
    else:
        flat = np.frombuffer(data, f"<u{bits // 8}", count=count).copy()
    values = flat[:count].reshape(shape)
    changed = False
    for frame, place, _ in job.parts:
        what = sampler.lay_over(frame, place)
        if what is None:
            continue
        window = values[frame.number, what.rows, what.columns]
        changed = changed or bool(window[what.mask].any())
        window[what.mask] = 0
    if not changed:
        return instance
    new = np.packbits(flat, bitorder="little").tobytes() if bits == 1 else flat.tobytes()
    return _with(instance, PixelData=new + data[len(new) :])


def cut_contours(instance: Instance, job: Job) -> Instance:
    """Return the instance without the contour points that lie in the region; what is left of a contour closes straight across."""
    from scipy import ndimage

    region = job.head.overwritten
    to_index = np.linalg.inv(job.head.to_patient @ region.grid)
    contours = copy.deepcopy(instance.dataset.get("ROIContourSequence"))
    changed = False
    for structure in contours or ():
        kept: list[Any] = []
        for contour in structure.get("ContourSequence") or ():
            points = np.array([float(v) for v in contour.ContourData], dtype=float).reshape(-1, 3)
            index = to_index[:3, :3] @ points.T + to_index[:3, 3:]
            inside = ndimage.map_coordinates(region.inside, index[::-1], order=1, mode="constant", cval=-99.0) > -MARGIN_MM
            if inside.any():
                changed = True
                points = points[~inside]
                if len(points) < (3 if str(contour.get("ContourGeometricType", "")) == "CLOSED_PLANAR" else 1):
                    continue
                contour.ContourData = [f"{v:.4f}".rstrip("0").rstrip(".") for v in points.ravel()]
                contour.NumberOfContourPoints = len(points)
            kept.append(contour)
        if "ContourSequence" in structure:
            structure.ContourSequence = kept
    return _with(instance, ROIContourSequence=contours) if changed else instance


def _with(instance: Instance, **attributes: Any) -> Instance:
    dataset = copy.copy(instance.dataset)
    dataset._dict = dict(instance.dataset._dict)  # the given instance keeps its own elements
    for keyword, value in attributes.items():
        element = copy.copy(instance.dataset[keyword])
        element.value = value
        dataset[keyword] = element
    return with_fields(instance, dataset=dataset)


def all_clear(decisions: Sequence[Decision]) -> bool:
    """Return whether volumes with these decisions show no face and were all decided."""
    return all(decision.reason is None and decision.verdict in ("no face", "not applicable") for decision in decisions)
