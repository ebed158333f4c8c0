"""Overwrite regions of stored values so that nothing can be read back; everything outside keeps its exact value.

Finding the regions does not belong here. Never an overlay, never a shutter: the stored values themselves change.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tasks.pixels.boxes import TextBox, axes_of
from tasks.pixels.decode import Frame, native_frame
from tasks.pixels.layout import BIG_ENDIAN, PixelLayout

Mask = np.ndarray[Any, np.dtype[np.bool_]]
"""(rows, columns), True where values are to be overwritten."""


_MARGIN, _TURNED = 2.0, 1.5  # pixels; and more of them around a turned box, whose angle is known to a degree or so
_CODING_UNITS = {f"1.2.840.10008.1.2.4.{n}": {1: 8, 3: 16} for n in (50, 51)}  # pixels that JPEG blanks together, by samples


def mask_of(boxes: Sequence[TextBox], layout: PixelLayout, margin: float | None = None) -> Mask:
    """Return the mask of all boxes: pixels whose middle lies in a box grown by a margin, and beyond its ends by a third of its height.

    By no more than the box's slack there, and by that at most on all sides; a turned box by a little more. With a margin of 0 the boxes
    are taken as they are; so they are in a JPEG code stream, where whole coding units are blanked, which reach farther around the ink
    than any margin.
    """
    if margin is None:
        margin = 0.0 if layout.syntax in _CODING_UNITS else _MARGIN
    mask = np.zeros((layout.rows, layout.columns), bool)
    for box in (replace(whole, corners=part) for whole in boxes for part in whole.parts or (whole.corners,)):
        along, across, length, height = axes_of(box)
        more = min(margin, box.slack) + (_TURNED if margin and min(abs(along)) > 1e-3 else 0.0)
        ends = more + (min(0.35 * height, box.slack) if margin else 0.0)
        middle, reach = box.corners.mean(axis=0), length / 2 + height / 2 + ends + more + 1
        left, top = np.maximum(np.floor(middle - reach), 0).astype(int)
        right, bottom = np.minimum(np.ceil(middle + reach).astype(int), (layout.columns, layout.rows))
        if right <= left or bottom <= top:
            continue
        x, y = np.arange(left, right) + 0.5 - middle[0], np.arange(top, bottom)[:, None] + 0.5 - middle[1]
        place, off = np.abs(x * along[0] + y * along[1]), np.abs(x * across[0] + y * across[1])
        mask[top:bottom, left:right] |= (place <= length / 2 + ends) & (off <= height / 2 + more)
    return mask


def reach_of(box: TextBox, layout: PixelLayout) -> tuple[int, int, int, int]:
    """Return the upright bounds (x, y, width, height) of all that blanking one box changes: whole coding units in a JPEG code stream."""
    rows, columns = np.nonzero(mask_of([box], layout))
    if not rows.size:
        return box.bounds
    unit = _CODING_UNITS.get(layout.syntax, {}).get(layout.samples, 1)
    left, top = int(columns.min()) // unit * unit, int(rows.min()) // unit * unit
    right, bottom = -(-int(columns.max() + 1) // unit) * unit, -(-int(rows.max() + 1) // unit) * unit
    return left, top, min(right, layout.columns) - left, min(bottom, layout.rows) - top


def fill_value(frame: Frame, mask: Mask, layout: PixelLayout, palette: np.ndarray[Any, Any] | None = None) -> tuple[Any, ...]:
    """Return the darkest value that the frame shows outside the mask, one per sample.

    PRIVACY: one constant for all regions of a frame, taken from outside them, so that no trace of the ink can shape it
    (tests/unit/test_pixels_blank.py).
    """
    if layout.samples == 3:
        return (0, 0, 0) if not layout.photometric.startswith(("YBR_F", "YBR_P")) else (0, *(1 << (layout.bits_stored - 1),) * 2)
    outside = frame[~mask]
    if layout.photometric == "PALETTE COLOR" and palette is not None:
        used = np.unique(np.clip(outside, 0, len(palette) - 1)) if outside.size else np.arange(len(palette))
        return (int(used[palette[used].astype(int).sum(axis=1).argmin()]),)
    if layout.floating:
        finite = outside[np.isfinite(outside)]
        return (float(finite.min()) if finite.size else 0.0,)
    if not outside.size:
        return (layout.greatest if layout.photometric == "MONOCHROME1" else layout.least,)
    return (int(outside.max() if layout.photometric == "MONOCHROME1" else outside.min()),)


def blank_frame(frame: Frame, mask: Mask, value: tuple[Any, ...]) -> Frame:
    """Return a copy of one decoded frame with the masked values replaced in every sample."""
    blanked = frame.copy()
    blanked[mask] = value if len(value) > 1 else value[0]
    return blanked


def blank_native(data: bytes, layout: PixelLayout, masks: Sequence[Mask | None], values: Sequence[tuple[Any, ...]]) -> bytes:
    """Return native Pixel Data with each frame's masked values replaced; all other bytes are equal, padding included.

    Needs one copy of the data and no more: a cine may be half a gigabyte.
    """
    changed = io.BytesIO(data)
    with changed.getbuffer() as view:
        (_blank_bits if layout.bits_allocated == 1 else _blank_values)(view, layout, masks, values)
    return changed.getvalue()


def _blank_values(view: memoryview, layout: PixelLayout, masks: Sequence[Mask | None], values: Sequence[tuple[Any, ...]]) -> None:
    size = layout.bits_allocated // 8
    kind = "f" if layout.floating else "i" if layout.signed else "u"
    flat = np.frombuffer(view, f"{'>' if layout.syntax == BIG_ENDIAN else '<'}{kind}{size}", count=layout.native_length // size)
    for index, (mask, value) in enumerate(zip(masks, values, strict=True)):
        if mask is None:
            continue
        if layout.subsampled:
            pixels = layout.rows * layout.columns
            quads = flat[index * pixels * 2 : (index + 1) * pixels * 2].reshape(-1, 4)
            quads[mask.reshape(-1, 2).any(axis=1)] = (value[0], value[0], value[1], value[2])
            continue
        frame = native_frame(flat, layout, index)
        frame[mask] = value if len(value) > 1 else value[0]


def _blank_bits(view: memoryview, layout: PixelLayout, masks: Sequence[Mask | None], values: Sequence[tuple[Any, ...]]) -> None:
    packed = np.frombuffer(view, np.uint8)
    bits = np.unpackbits(packed, bitorder="little")
    pixels = layout.rows * layout.columns
    for index, (mask, value) in enumerate(zip(masks, values, strict=True)):
        if mask is not None:
            bits[index * pixels : (index + 1) * pixels][mask.ravel()] = value[0]
    packed[:] = np.packbits(bits, bitorder="little")
