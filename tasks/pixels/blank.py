"""Overwrite regions of stored values so that nothing can be read back; everything outside keeps its exact value.

Finding the regions does not belong here. Never an overlay, never a shutter: the stored values themselves change.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from tasks.pixels.boxes import TextBox
from tasks.pixels.decode import Frame, native_frame
from tasks.pixels.layout import BIG_ENDIAN, PixelLayout

Mask = np.ndarray[Any, np.dtype[np.bool_]]
"""(rows, columns), True where values are to be overwritten."""


_MOST_BEYOND, _MOST_BEYOND_INK = 5.0, 2.0


def mask_of(boxes: Sequence[TextBox], layout: PixelLayout, margin: float = 2.0) -> Mask:
    """Return the mask of all boxes, each grown by a margin in pixels, and by a quarter of its height beyond its ends.

    By 2 pixels at most where the ends are those of the ink, else by 5. With a margin of 0 the boxes are taken as they are.
    """
    import cv2

    mask = np.zeros((layout.rows, layout.columns), np.uint8)
    for box in boxes:
        (cx, cy), (width, height), angle = cv2.minAreaRect(np.asarray(box.corners, np.float32))
        ends = min(0.25 * min(width, height), _MOST_BEYOND_INK if box.tight else _MOST_BEYOND) if margin else 0.0
        more_x, more_y = (ends, 0.0) if width >= height else (0.0, ends)
        grown = (cx, cy), (width + 2 * (margin + more_x), height + 2 * (margin + more_y)), angle
        cv2.fillConvexPoly(mask, np.round(cv2.boxPoints(grown)).astype(np.int32), 1)
    return mask.astype(bool)


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
