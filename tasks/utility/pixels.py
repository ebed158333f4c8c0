"""Are the pixels outside of what was blanked the pixels of the source (U1)? Bytes first; decoding only where they differ.

Who blanks and why is `tasks/pixels`; faces are judged where they are removed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tasks.scan.walk import Element, Walk

_MARGIN = 10  # a box is blanked with 2 pixels around it, up to 5 more beyond its ends, and whole chroma pairs beside it
_NOT_COMPARED = "pixels (not compared)"


def changed_pixels(source: Walk, written: Walk, boxes: Sequence[tuple[int, ...]], written_path: Path, source_path: Path) -> str:
    """Return "" when all pixels outside `boxes` (x, y, width, height) are those of the source, else where they differ."""
    if source.pixels is None or written.pixels is None:
        return ""
    if _same_bytes(source, written):
        return ""
    same = _native_difference(source, written) if not source.fragments and not written.fragments else None
    if same is not None and not same.any():
        return ""
    if same is not None and not boxes:
        return "pixels"
    return _decoded_difference(source_path, written_path, boxes)


def _same_bytes(source: Walk, written: Walk) -> bool:
    if len(source.fragments) != len(written.fragments):
        return False
    if source.fragments:
        return all(
            source.data[a:b] == written.data[c:d] for (a, b), (c, d) in zip(source.fragments[1:], written.fragments[1:], strict=True)
        )
    return source.little_endian and source.value(_pixels(source)) == written.value(_pixels(written))


def _pixels(walk: Walk) -> Any:
    return walk.pixels


def _native_difference(source: Walk, written: Walk) -> np.ndarray[Any, Any] | None:
    """Return per stored value whether its meaning differs (unused bits do not count); None when lengths cannot be compared."""
    facts = {e.tag: int.from_bytes(source.value(e), "little" if source.little_endian else "big") for e in source.elements if _is_fact(e)}
    allocated, stored = facts.get(0x00280100, 8), facts.get(0x00280101, 8)
    high = facts.get(0x00280102, stored - 1)
    if allocated not in (8, 16, 32):
        return None
    frames = next((int(t) for e in source.elements if e.tag == 0x00280008 and (t := source.value(e).strip(b" \0")).isdigit()), 1)
    count = facts.get(0x00280010, 0) * facts.get(0x00280011, 0) * facts.get(0x00280002, 1) * frames
    width = allocated // 8
    first, second = _pixels(source), _pixels(written)
    count = count or min(first.end - first.start, second.end - second.start) // width
    if (first.end - first.start) < count * width or (second.end - second.start) < count * width:
        return None
    order = "<" if source.little_endian else ">"
    before = np.frombuffer(source.data, np.dtype(f"{order}u{width}"), count, first.start)
    after = np.frombuffer(written.data, np.dtype(f"<u{width}"), count, second.start)
    shift = max(high + 1 - stored, 0)
    mask = ((1 << stored) - 1) << shift
    different: np.ndarray[Any, Any] = (before ^ after) & before.dtype.type(mask) != 0
    return different


def _is_fact(element: Element) -> bool:
    return element.tag >> 16 == 0x0028 and element.parent < 0 and element.vr == "US" and element.end - element.start == 2


def _decoded(path: Path) -> np.ndarray[Any, Any]:
    """Decode by pylibjpeg only: GDCM ends the whole process over some damaged streams."""
    from pydicom import dcmread
    from pydicom.pixels.utils import pixel_array

    dataset = dcmread(path)
    compressed = dataset.file_meta.TransferSyntaxUID.is_encapsulated
    return pixel_array(dataset, decoding_plugin="pylibjpeg" if compressed else "")


def _decoded_difference(source_path: Path, written_path: Path, boxes: Sequence[tuple[int, ...]]) -> str:
    """Decode both objects and compare what a viewer shows, outside the boxes."""
    try:
        # PRIVACY: a decoder's message may quote the header; only "not compared" leaves (tests/unit/test_utility.py)
        before, after = _decoded(source_path), _decoded(written_path)
    except MemoryError:
        raise
    except Exception:
        return _NOT_COMPARED
    if before.shape != after.shape:
        return "pixels"
    different = before != after
    if different.ndim > 2 and different.shape[-1] in (3, 4):
        different = different.any(axis=-1)
    for x, y, width, height in boxes:
        different[..., max(y - _MARGIN, 0) : y + height + _MARGIN, max(x - _MARGIN, 0) : x + width + _MARGIN] = False
    return "pixels" if different.any() else ""
