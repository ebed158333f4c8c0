"""Frames of one object as arrays of stored values, one at a time, whatever the transfer syntax.

Windows, palettes and colours do not belong here (`views`); neither does changing a value (`blank`).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.model import Reason
from tasks.pixels.layout import BIG_ENDIAN, PixelLayout, PixelsRefusedError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Frame = np.ndarray[Any, np.dtype[Any]]
"""(rows, columns) or (rows, columns, samples), stored values without high bits or window applied."""


def read_frames(dataset: Dataset, layout: PixelLayout, indices: Sequence[int] | None = None) -> Iterator[Frame]:
    """Yield the frames asked for (all by default) in order; PixelsRefusedError when one does not decode completely.

    The data stay in the colour space that the object declares. Arrays may share memory with the object and are read-only.
    """
    wanted = range(layout.frames) if indices is None else indices
    if layout.native:
        values = native_values(dataset, layout)
        for index in wanted:
            yield native_frame(values, layout, index)
        return
    yield from _decoded(dataset, layout, wanted)


def native_values(dataset: Dataset, layout: PixelLayout) -> Frame:
    """Return all native values as one flat read-only array over the object's own bytes."""
    data = dataset[layout.keyword_tag].value
    kind = "f" if layout.floating else "i" if layout.signed else "u"
    if layout.bits_allocated == 1:
        return np.frombuffer(data, np.uint8, count=layout.native_length)
    size = layout.bits_allocated // 8
    order = ">" if layout.syntax == BIG_ENDIAN else "<"
    return np.frombuffer(data, f"{order}{kind}{size}", count=layout.native_length // size)


def native_frame(values: Frame, layout: PixelLayout, index: int) -> Frame:
    """Return one frame of the flat native values as (rows, columns[, samples]); a view where the storage allows it."""
    pixels = layout.rows * layout.columns
    if layout.bits_allocated == 1:
        first, last = index * pixels, (index + 1) * pixels
        bits: Frame = np.unpackbits(values[first // 8 : (last + 7) // 8], bitorder="little")
        return bits[first % 8 : first % 8 + pixels].reshape(layout.rows, layout.columns)
    if layout.subsampled:
        quads = values[index * pixels * 2 : (index + 1) * pixels * 2].reshape(-1, 4)
        frame = np.empty((pixels, 3), values.dtype)
        frame[0::2, 0], frame[1::2, 0] = quads[:, 0], quads[:, 1]
        frame[:, 1], frame[:, 2] = np.repeat(quads[:, 2], 2), np.repeat(quads[:, 3], 2)
        return frame.reshape(layout.rows, layout.columns, 3)
    count = pixels * layout.samples
    flat = values[index * count : (index + 1) * count]
    if layout.samples == 1:
        return flat.reshape(layout.rows, layout.columns)
    if layout.planar:
        return np.moveaxis(flat.reshape(layout.samples, layout.rows, layout.columns), 0, 2)
    return flat.reshape(layout.rows, layout.columns, layout.samples)


def _decoded(dataset: Dataset, layout: PixelLayout, wanted: Sequence[int]) -> Iterator[Frame]:
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import UID

    try:
        decoder = get_decoder(UID(layout.syntax))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's warnings quote values
            for frame, _ in decoder.iter_array(dataset, indices=list(wanted), raw=True):
                if frame.shape[:2] != (layout.rows, layout.columns):
                    raise PixelsRefusedError(Reason.PIXELS_UNREADABLE)
                yield frame
    except (PixelsRefusedError, MemoryError):
        raise
    except Exception:
        # PRIVACY: codecs raise anything, with anything in the message; what does not decode is never passed on
        # (tests/unit/test_pixels_decode.py).
        raise PixelsRefusedError(Reason.PIXELS_UNREADABLE) from None
