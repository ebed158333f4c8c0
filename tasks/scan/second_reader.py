"""A second reader's opinion (GDCM): does it see the same elements in the written object as our walk does?

What one reader skips the other may show: a difference means that somebody's viewer shows what nobody checked.
"""

from __future__ import annotations

from pathlib import Path

from tasks.scan.walk import PIXELS, Walk


def readers_disagree(path: Path, walk: Walk) -> str:
    """Return "" when GDCM sees the same top-level elements with the same lengths, else the first difference by place."""
    import gdcm

    gdcm.Trace.WarningOff()
    gdcm.Trace.ErrorOff()
    reader = gdcm.Reader()
    reader.SetFileName(str(path))
    if not reader.Read():
        return "(whole object)"
    theirs = _top_level(reader.GetFile().GetDataSet())
    ours = {e.tag: e.end - e.start for e in walk.elements if e.parent < 0 and e.tag >> 16 > 0x0002 and e.tag & 0xFFFF}
    for tag in sorted(theirs.keys() ^ ours.keys()):
        return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
    for tag, length in theirs.items():
        if tag not in PIXELS and length is not None and length != ours[tag]:
            return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
    return ""


def _top_level(dataset: object) -> dict[int, int | None]:
    """Return tag -> length of value, None where GDCM holds a sequence or fragments."""
    import gdcm

    found: dict[int, int | None] = {}
    iterator = gdcm.PythonDataSet(dataset)
    iterator.Start()
    while not iterator.IsAtEnd():
        element = iterator.GetCurrent()
        tag = element.GetTag()
        number = tag.GetGroup() << 16 | tag.GetElement()
        if number & 0xFFFF:
            value = element.GetByteValue()
            nested = element.GetVL().IsUndefined() or str(element.GetVR()) == "SQ"
            found[number] = None if nested else value.GetLength() if value else 0
        iterator.Next()
    return found
