"""One frame of a written object as stored values: read from the bytes where they are native, decoded otherwise.

For measures only (noise, small pictures): what cannot be read gives None, and other gates hold it. Judging does not belong here.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.scan.walk import Walk

Image = np.ndarray[Any, Any]
_LARGEST_DECODED = 256 << 20  # the file is copied for it
_RLE = "1.2.840.10008.1.2.5"


@dataclass(frozen=True, slots=True)
class Frame:
    """The middle frame: stored values (rows, columns), and what the header says they mean."""

    stored: Image
    bits_stored: int
    native: bool
    slope: float = 1.0
    intercept: float = 0.0


def middle_frame(walk: Walk) -> Frame | None:
    """Return the middle frame of an object in one sample per pixel (colour as its mean), None without a readable one."""
    if walk.pixels is None or walk.pixels.tag != 0x7FE00010:
        return None
    try:
        return _native(walk) if not walk.fragments and walk.little_endian else _decoded(walk)
    except MemoryError:
        raise
    except Exception:  # PRIVACY: a decoder's message may quote the header; an unreadable frame is held by the pixel stage
        return None


def _native(walk: Walk) -> Frame | None:
    facts = {e.tag: walk.value(e) for e in walk.elements if e.parent < 0 and e.tag >> 16 == 0x0028 and e.end - e.start <= 64}

    def number(tag: int, otherwise: int) -> int:
        return int.from_bytes(facts[tag][:2], "little") if tag in facts else otherwise

    rows, columns, bits = number(0x00280010, 0), number(0x00280011, 0), number(0x00280100, 0)
    samples, stored, signed = number(0x00280002, 1), number(0x00280101, bits), number(0x00280103, 0)
    frames = max(int(facts.get(0x00280008, b"1").strip(b" \0") or 1), 1)
    if bits not in (8, 16, 32) or not rows * columns * samples or walk.pixels is None:
        return None
    size = rows * columns * samples
    start = walk.pixels.start + frames // 2 * size * bits // 8
    if start + size * bits // 8 > walk.pixels.end:
        return None
    values = np.frombuffer(walk.data, np.dtype(f"<{'i' if signed else 'u'}{bits // 8}"), size, start)
    planar = samples > 1 and number(0x00280006, 0) == 1
    image = values.reshape(samples, rows, columns).mean(axis=0) if planar else values.reshape(rows, columns, samples).mean(axis=2)
    image = image if samples > 1 else values.reshape(rows, columns)
    return Frame(image, stored, True, _decimal(facts, 0x00281053, 1.0), _decimal(facts, 0x00281052, 0.0))


def _decimal(facts: dict[int, bytes], tag: int, otherwise: float) -> float:
    try:
        return float(facts[tag].strip(b" \0").decode("ascii"))
    except (KeyError, ValueError):
        return otherwise


def _decoded(walk: Walk) -> Frame | None:
    if len(walk.data) > _LARGEST_DECODED:
        return None
    from pydicom import dcmread
    from pydicom.pixels.utils import pixel_array

    dataset = dcmread(io.BytesIO(bytes(walk.data)))
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    # GDCM ends the whole process over some damaged streams; run-length coding is pydicom's own
    plugin = {True: "pydicom" if walk.transfer_syntax_uid == _RLE else "pylibjpeg", False: ""}[bool(walk.fragments)]
    image = pixel_array(dataset, index=frames // 2, decoding_plugin=plugin)
    image = image.mean(axis=-1) if image.ndim == 3 else image
    slope, intercept = float(dataset.get("RescaleSlope", 1) or 1), float(dataset.get("RescaleIntercept", 0) or 0)
    return Frame(image, int(dataset.BitsStored), False, slope, intercept)
