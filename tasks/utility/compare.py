"""One source object against the object written from it (gates U1 to U4, U6, U7 and T10).

Every measure is "0 changes": whatever is changed without a stage saying so is a finding. Values never appear in findings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tasks.model import FaceOutcome, Finding, PixelOutcome
from tasks.scan.walk import PIXELS, Walk, read_walk
from tasks.utility.pairs import StudyPairs
from tasks.utility.pixels import changed_pixels

_GREY_SCALE = frozenset(
    (
        0x00280002, 0x00280004, 0x00280006, 0x00280008, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102, 0x00280103,
        0x00281050, 0x00281051, 0x00281052, 0x00281053, 0x00281054, 0x00281101, 0x00281102, 0x00281103,
    )
)  # fmt: skip
_PIXEL_DESCRIPTION = frozenset((0x00280004, 0x00280006, 0x00280100, 0x00280101, 0x00280102))  # follow when pixels had to be rewritten
_GEOMETRY = frozenset(
    (
        0x00200032, 0x00200037, 0x00280030, 0x00180050, 0x00180088, 0x00181164, 0x00189306, 0x3004000C, 0x00209057, 0x00209157,
        0x0048021E, 0x0048021F, 0x0040072A, 0x0040073A, 0x0040074A, 0x30060050, 0x30060042,
    )
)  # fmt: skip
_LATERALITY = frozenset((0x00200060, 0x00200062, 0x00185100, 0x00185101, 0x00200020, 0x00209072))
_GROUPS = (
    (_GREY_SCALE, "U2.grey_scale", "grey_scale"),
    (_GEOMETRY, "U3.geometry", "geometry"),
    (_LATERALITY, "U4.laterality", "laterality"),
)
_MANDATORY = (
    (0x00080016, 1), (0x00080018, 1), (0x0020000D, 1), (0x0020000E, 1), (0x00080060, 1),
    (0x00100010, 2), (0x00100020, 2), (0x00100030, 2), (0x00100040, 2), (0x00080020, 2), (0x00080030, 2), (0x00080090, 2), (0x00200010, 2),
    (0x00080050, 2), (0x00200011, 2), (0x00200013, 2),
)  # fmt: skip
"""Type 1 and 2 attributes that nearly every IOD has (PS3.3 C.7): what the source had must not be missing."""
_BOX = re.compile(r"\[(-?\d+),(-?\d+),(\d+),(\d+)\]")


def compare_object(
    source: Path,
    written: Path,
    study: StudyPairs,
    text: PixelOutcome | None = None,
    face: FaceOutcome | None = None,
    sop_instance_uid: str = "",
) -> list[Finding]:
    """Return what changed between source and written object without a stage having said so; `study` learns UID pairs and dates.

    `text` and `face` are what those stages claim to have changed. Raises OSError.
    """
    ours, theirs = read_walk(source), read_walk(written)
    if ours.problem and not theirs.problem and len(theirs.elements) < 4:
        return [Finding(sop_instance_uid, "(whole object)", "unreadable", "U6.valid", 0.6)]
    found: list[tuple[str, str, str, float]] = []
    rewritten = bool((text and text.blanked_regions) or (face and face.method))
    found.extend(_changed_attributes(ours, theirs, rewritten))
    found.extend(_missing(ours, theirs))
    found.extend(study.learn(ours, theirs))
    if not (face and face.method):
        boxes = [tuple(map(int, m.groups())) for f in (text.findings if text else ()) for m in _BOX.finditer(f.place)]
        place = changed_pixels(ours, theirs, boxes if text and text.blanked_regions else [], written, source)
        if place:
            found.append((place, "pixels", "U1.pixels", 0.4 if place == "pixels (not compared)" else 0.8))
    return [Finding(sop_instance_uid, place, kind, rule, score) for place, kind, rule, score in dict.fromkeys(found)]


def _changed_attributes(source: Walk, written: Walk, rewritten: bool) -> Iterator[tuple[str, str, str, float]]:
    """Yield attributes of grey scale, geometry and laterality whose value is no longer what the source had."""
    before, after = _by_place(source), _by_place(written)
    items = {place[: place.rindex("]") + 1] for place in (written.place(i) for i, e in enumerate(written.elements) if e.parent >= 0)}
    for place, (tag, old) in before.items():
        for group, rule, kind in _GROUPS:
            if tag in group and not (rewritten and tag in _PIXEL_DESCRIPTION):
                new = after.get(place)
                if new is None and "]" in place and place[: place.rindex("]") + 1] not in items:
                    continue  # the whole sequence was removed: an icon, a private copy
                if (new is None and old) or (new is not None and new[1] != old and not _same_numbers(source, old, new[1])):
                    yield place, kind, rule, 0.8


def _by_place(walk: Walk) -> dict[str, tuple[int, bytes]]:
    wanted = _GREY_SCALE | _GEOMETRY | _LATERALITY
    return {
        walk.place(i): (e.tag, walk.value(e).strip(b" \0") if e.vr not in _RAW else walk.value(e))
        for i, e in enumerate(walk.elements)
        if e.tag in wanted
    }


_RAW = frozenset(("US", "SS", "OW", "OB", "FD", "FL", "UL", "SL", "UN"))


def _same_numbers(source: Walk, old: bytes, new: bytes) -> bool:
    """Say whether two values differ only as bytes: another byte order, blanks, or a trailing pad."""
    if not source.little_endian and len(old) == len(new):
        return any(b"".join(old[i : i + n][::-1] for i in range(0, len(old), n)) == new for n in (2, 4, 8))
    return b"\\".join(p.strip(b" \0") for p in old.split(b"\\")) == b"\\".join(p.strip(b" \0") for p in new.split(b"\\")) or old.rstrip(
        b"\0"
    ) == new.rstrip(b"\0")


def _missing(source: Walk, written: Walk) -> Iterator[tuple[str, str, str, float]]:
    """Yield mandatory attributes that the source had and the written object lacks (no new error of type 1 or 2)."""
    before = {e.tag: e.end > e.start for e in source.elements if e.parent < 0}
    after = {e.tag: e.end > e.start for e in written.elements if e.parent < 0}
    for tag, kind in _MANDATORY:
        if tag in before and (tag not in after or (kind == 1 and before[tag] and not after[tag])):
            yield f"({tag >> 16:04X},{tag & 0xFFFF:04X})", "missing", "U6.valid", 0.6 if kind == 1 else 0.3
    if (before.keys() & PIXELS) and not (after.keys() & PIXELS):
        yield "pixels", "missing", "U6.valid", 0.8
