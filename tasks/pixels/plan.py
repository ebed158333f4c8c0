"""What is looked at: every frame, or the projections, suspects and samples that are proven to be as good.

How text is found in one frame (`find`) and what happens to it (`clean`) do not belong here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.errors import ReleaseError
from tasks.model import Instance, Reason
from tasks.pixels.blank import Mask, mask_of
from tasks.pixels.boxes import TextBox
from tasks.pixels.decode import Frame, read_frames
from tasks.pixels.devices import Device, device_of
from tasks.pixels.engine import TextEngine
from tasks.pixels.find import find_text
from tasks.pixels.layout import PixelLayout, PixelsRefusedError, is_lossy, read_layout
from tasks.pixels.summary import Summary, carries, pattern_in
from tasks.pixels.views import Image8, read_palette
from tasks.policy.pixels import PixelPolicy

_VOLUME_MODALITIES = frozenset({"CT", "MR", "PT"})
_LEAST_VOLUME = 6  # slices: smaller groups are looked at one by one
_FEW_FRAMES = 3
_SAMPLES = 3  # of a volume or cine, beside its projections
_DOUBT = 2.0  # projections of a volume lay structures of many slices over each other
_SUSPECTS = 24  # looked at one by one, evenly chosen when there are more


@dataclass(frozen=True, slots=True)
class Examination:
    """What looking at one object found: every region with its place, and the mask of each frame (None: nothing to blank)."""

    layout: PixelLayout
    boxes: tuple[tuple[str, TextBox], ...]
    masks: tuple[Mask | None, ...]


@dataclass(frozen=True, slots=True)
class _Object:
    instance: Instance
    layout: PixelLayout
    palette: Image8 | None

    @property
    def lossy(self) -> bool:
        return is_lossy(self.layout.syntax, self.instance.dataset)

    def frames(self, indices: Sequence[int] | None = None) -> Iterator[Frame]:
        return read_frames(self.instance.dataset, self.layout, indices)


def examine_series(instances: Sequence[Instance], policy: PixelPolicy, engine: TextEngine) -> list[Examination | Reason]:
    """Look at every object of one series; a Reason for each that cannot be examined.

    Slices of equal size in a native CT, MR or PET series are one volume: its projections, its suspects (slices that hold exact ink) and a
    sample are looked at. An object of a size of its own, a colour, palette, 8-bit or lossy object is looked at itself.
    """
    results: list[Examination | Reason | None] = [None] * len(instances)
    volumes: dict[tuple[Any, ...], list[tuple[int, _Object]]] = defaultdict(list)
    for index, instance in enumerate(instances):
        try:
            layout = read_layout(instance.dataset, instance.transfer_syntax_uid, policy.max_decoded_bytes)
        except PixelsRefusedError as refused:
            results[index] = refused.reason
            continue
        palette = read_palette(instance.dataset) if layout.photometric == "PALETTE COLOR" else None
        subject = _Object(instance, layout, palette)
        if _is_slice(subject):
            volumes[layout.rows, layout.columns, layout.signed, layout.photometric].append((index, subject))
        else:
            results[index] = _guarded(_look_at_object, subject, engine)
    for members in volumes.values():
        subjects = [subject for _, subject in members]
        if sum(subject.layout.frames for subject in subjects) < _LEAST_VOLUME:
            found = [_guarded(_look_at_object, subject, engine) for subject in subjects]
        else:
            found = _look_at_volume(subjects, engine)
        for (index, _), result in zip(members, found, strict=True):
            results[index] = result
    return [result if result is not None else Reason.PIXELS_NOT_EXAMINED for result in results]


def _is_slice(subject: _Object) -> bool:
    layout = subject.layout
    plain = layout.samples == 1 and layout.bits_allocated == 16 and layout.bits_stored >= 10 and layout.photometric.startswith("MONO")
    return subject.instance.modality in _VOLUME_MODALITIES and plain and not subject.lossy


def _guarded(look: Any, *arguments: Any) -> Examination | Reason:
    """Run one look; whatever breaks leaves the object unexamined, never clean."""
    try:
        result: Examination = look(*arguments)
        return result
    except PixelsRefusedError as refused:
        return refused.reason
    except ReleaseError:
        raise
    except Exception:
        # PRIVACY: an error while looking is no proof of cleanness (tests/unit/test_pixels_clean.py).
        return Reason.PIXELS_NOT_EXAMINED


def _look_at_object(subject: _Object, engine: TextEngine) -> Examination:
    if subject.layout.frames <= _FEW_FRAMES:
        found = [find_text(f, subject.layout, engine, subject.palette, subject.lossy) for f in subject.frames()]
        return _examination(subject, found, [])
    return _look_at_cine(subject, engine)


def _examination(subject: _Object, per_frame: Sequence[Sequence[TextBox]], everywhere: Sequence[TextBox]) -> Examination:
    """Unite the boxes of single frames with those that lie in all of them; a known device's banner counts whole."""
    layout = subject.layout
    device = device_of(subject.instance.dataset)
    if device is not None and not device.whole:
        everywhere = _with_banners(everywhere, device, layout)
        per_frame = [_with_banners(found, device, layout) for found in per_frame]
    boxes = [("pixels all frames", box) for box in everywhere]
    boxes += [(f"pixels frame {number}", box) for number, found in enumerate(per_frame, start=1) for box in found]
    common = mask_of(everywhere, layout) if everywhere else None
    masks: list[Mask | None] = []
    for found in per_frame:
        own = mask_of(found, layout) if found else None
        masks.append(common if own is None else own if common is None else common | own)
    return Examination(layout, tuple(boxes), tuple(masks))


def _with_banners(boxes: Sequence[TextBox], device: Device, layout: PixelLayout) -> list[TextBox]:
    """Return the boxes, and every banner of the device in which one of them lies: what is written beside a name is about its bearer."""
    banners = []
    for x, y, width, height in {region for box in boxes if (region := device.region_at(*box.bounds))}:
        right, bottom = min(x + width, layout.columns), min(y + height, layout.rows)
        corners = np.array([[x, y], [right, y], [right, bottom], [x, bottom]], np.float32)
        banners.append(TextBox(corners, 1.0, rule="P3.device", slack=0.0))
    return [*boxes, *banners]


def _look_at_cine(subject: _Object, engine: TextEngine) -> Examination:
    """Look at projections over time and at suspects; what is found is blanked in every frame, because a cine's text stays in its place."""
    layout = subject.layout
    summary = Summary(exact=not subject.lossy)
    for frame in subject.frames():
        summary.add(frame)
    found: list[TextBox] = []
    for view in summary.projections():
        found += find_text(view, layout, engine, subject.palette, subject.lossy)
    sampled = {0, layout.frames // 2, layout.frames - 1}
    wanted = range(layout.frames) if layout.frames <= _SUSPECTS else sorted(sampled | set(summary.suspects(_SUSPECTS)))
    for number, frame in zip(wanted, subject.frames(wanted), strict=True):
        found += find_text(frame, layout, engine, subject.palette, subject.lossy, by_both=number in sampled)
    distinct = _distinct(found, layout)
    return _examination(subject, [[] for _ in range(layout.frames)], distinct)


def _distinct(boxes: Sequence[TextBox], layout: PixelLayout) -> list[TextBox]:
    """Drop boxes that lie wholly under earlier ones."""
    covered = np.zeros((layout.rows, layout.columns), bool)
    kept = []
    for box in boxes:
        mask = mask_of([box], layout, margin=0)
        if not covered[mask].all():
            kept.append(box)
            covered |= mask_of([box], layout)
    return kept


def _look_at_volume(subjects: Sequence[_Object], engine: TextEngine) -> list[Examination | Reason]:
    summary = Summary(exact=True)
    readable: list[_Object | Reason] = []
    places: list[tuple[int, int]] = []  # (subject, frame) of each slice of the summary
    for number, subject in enumerate(subjects):
        try:
            for index, frame in enumerate(subject.frames()):
                summary.add(frame)
                places.append((number, index))
            readable.append(subject)
        except PixelsRefusedError as refused:
            readable.append(refused.reason)
    try:
        boxes = _volume_boxes(subjects, summary, places, engine)
    except (ReleaseError, MemoryError):
        raise
    except Exception:
        # PRIVACY: an error while looking at a volume leaves all of its slices unexamined (tests/unit/test_pixels_volume.py).
        return [r if isinstance(r, Reason) else Reason.PIXELS_NOT_EXAMINED for r in readable]
    results: list[Examination | Reason] = []
    for number, result in enumerate(readable):
        if isinstance(result, Reason):
            results.append(result)
        else:
            results.append(_examination(result, [boxes.get((number, i), []) for i in range(result.layout.frames)], []))
    return results


def _volume_boxes(
    subjects: Sequence[_Object], summary: Summary, places: Sequence[tuple[int, int]], engine: TextEngine
) -> dict[tuple[int, int], list[TextBox]]:
    """Return the boxes of each slice that holds text."""
    if not places:
        return {}
    layout = subjects[0].layout
    boxes: dict[tuple[int, int], list[TextBox]] = defaultdict(list)
    sources: list[tuple[TextBox, Frame]] = []  # each box with what the frame that showed it looks like there
    step = max(len(places) // (_SAMPLES + 1), 1)
    sampled = {step * (i + 1) % len(places) for i in range(_SAMPLES)}
    for position in sorted(sampled | set(summary.suspects(_SUSPECTS))):
        number, index = places[position]
        (frame,) = subjects[number].frames([index])
        found = find_text(frame, subjects[number].layout, engine, by_both=position in sampled)
        boxes[places[position]] += found
        sources += [(box, pattern_in(frame, box)) for box in found]
    *_, median = projections = summary.projections()
    for view in projections:
        sources += [(box, pattern_in(view, box)) for box in find_text(view, layout, engine, doubt=_DOUBT)]
    usual = [pattern_in(median, box) for box, _ in sources]
    if sources:
        for number, subject in enumerate(subjects):
            wanted = [i for n, i in places if n == number]
            for index, frame in zip(wanted, subject.frames(), strict=False):
                here = [box for (box, pattern), most in zip(sources, usual, strict=True) if carries(frame, box, pattern, most)]
                if here:
                    boxes[number, index] = _distinct([*boxes.get((number, index), []), *here], layout)
    return {place: found for place, found in boxes.items() if found}
