"""A second reader's opinion (GDCM): does it see the same elements and values in the written object as our walk does?

What one reader skips another may show: a difference means that somebody's viewer shows what nobody checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks.model import Finding
from tasks.scan.walk import PIXELS, Element, Walk, tag_text

Place = tuple[int, ...]
"""Tag, item, tag, item, … tag: where an element is, from the top level down."""

_WHOLE_UP_TO_BYTES = 64 << 20
"""GDCM holds what it reads in memory: of larger files it reads what stands before the pixel data."""


def reader_findings(path: Path, walk: Walk, sop_instance_uid: str) -> list[Finding]:
    """Return one finding (T6) where the readers disagree about an object of ours: what nobody can agree on is not proven clean.

    What our walk could not read is a finding already, and GDCM believes any length and allocates it: it is not asked.
    """
    place = "" if walk.problem else readers_disagree(path, walk)
    return [Finding(sop_instance_uid, place, "reader", "T6.reader", 0.6)] if place else []


def readers_disagree(path: Path, walk: Walk) -> str:
    """Return "" when GDCM sees the same elements with the same values at every depth, else the place of the first difference."""
    import gdcm

    gdcm.Trace.WarningOff()
    gdcm.Trace.ErrorOff()
    reader = gdcm.Reader()
    reader.SetFileName(str(path))
    whole = len(walk.data) <= _WHOLE_UP_TO_BYTES
    if not (reader.Read() if whole else reader.ReadUpToTag(gdcm.Tag(min(PIXELS) >> 16, min(PIXELS) & 0xFFFF))):
        return "(whole object)"
    ours = {place: value for place, value in _as_we_see(walk) if whole or place[0] < min(PIXELS)}
    theirs: dict[Place, bytes | None] = {}
    for place, value in _as_they_see(reader.GetFile().GetDataSet(), ()):
        if place[0] >= min(PIXELS) and not whole:
            continue
        if theirs.setdefault(place, value) is not value:
            return _named(place)
    for place in sorted(ours.keys() | theirs.keys()):
        if place not in ours or place not in theirs or not _alike(ours[place], theirs[place], walk):
            if _inside_unparsed(place, theirs):
                continue
            return _named(place)
    return ""


def _alike(ours: bytes | None, theirs: bytes | None, walk: Walk) -> bool:
    if ours is None or theirs is None:
        return True
    return ours == theirs if walk.little_endian else len(ours) == len(theirs)  # GDCM hands out numbers in this machine's order


def _inside_unparsed(place: Place, theirs: dict[Place, bytes | None]) -> bool:
    """Say whether `place` lies in a value that GDCM took for plain bytes (a sequence written as UN), which it then showed whole."""
    return any(theirs.get(place[:end]) for end in range(1, len(place), 2))


def _as_we_see(walk: Walk) -> Iterator[tuple[Place, bytes | None]]:
    """Yield every element after the file meta information; None for sequences and pixel data, whose bytes are looked at elsewhere."""
    places: dict[int, Place] = {}
    for index, element in enumerate(walk.elements):
        places[index] = place = (*places[element.parent], element.item, element.tag) if element.parent >= 0 else (element.tag,)
        if place[0] >> 16 > 0x0002 and element.tag & 0xFFFF:
            yield place, None if element.vr == "SQ" or _is_pixels(element) else walk.value(element)


def _is_pixels(element: Element) -> bool:
    return element.parent < 0 and element.tag in PIXELS


def _as_they_see(dataset: Any, above: Place) -> Iterator[tuple[Place, bytes | None]]:
    import gdcm

    iterator = gdcm.PythonDataSet(dataset)
    iterator.Start()
    while not iterator.IsAtEnd():
        element = iterator.GetCurrent()
        iterator.Next()
        tag = element.GetTag().GetGroup() << 16 | element.GetTag().GetElement()
        if not tag & 0xFFFF:
            continue
        place = (*above, tag)
        if len(place) == 1 and tag in PIXELS:
            yield place, None
            continue
        # Only what is written as a sequence: asked for anything else, GDCM interprets bytes that it was not told to.
        if str(element.GetVR()) != "SQ" and not element.GetVL().IsUndefined():
            value = element.GetByteValue()
            yield place, value.GetBuffer().encode("utf-8", "surrogateescape") if value else b""
            continue
        yield place, None
        if element.IsEmpty():  # a sequence without items is a null pointer there
            continue
        items = element.GetValueAsSQ()
        for number in range(items.GetNumberOfItems()):
            yield from _as_they_see(items.GetItem(number + 1).GetNestedDataSet(), (*place, number))


def _named(place: Place) -> str:
    parts = [tag_text(place[0])]
    parts += [f"[{item}].{tag_text(tag)}" for item, tag in zip(place[1::2], place[2::2], strict=True)]
    return "".join(parts)
