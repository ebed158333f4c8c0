"""What a person could see of a frame: stored values as 8-bit grey or colour images in which text has contrast.

Finding text does not belong here. No window of the header is trusted: each view is made from the values themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.pixels.decode import Frame
from tasks.pixels.layout import PixelLayout

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Image8 = np.ndarray[Any, np.dtype[np.uint8]]
"""(rows, columns) or (rows, columns, 3), 0 to 255."""


def read_palette(dataset: Dataset) -> Image8 | None:
    """Return the object's colour table as (entries, 3) 8-bit values with its first entry at index 0, None when unusable."""
    tables = []
    try:
        for colour in ("Red", "Green", "Blue"):
            entries, first, bits = (int(v) for v in dataset[f"{colour}PaletteColorLookupTableDescriptor"].value)
            entries = entries or 65536
            data = dataset[f"{colour}PaletteColorLookupTableData"].value
            table = np.frombuffer(data, np.uint8 if bits == 8 and len(data) < 2 * entries else "<u2", count=-1)[:entries]
            shift = max(int(table.max(initial=0)).bit_length() - 8, 0) if bits > 8 else 0
            tables.append(np.concatenate([np.full(max(first, 0), table[0] >> shift), table >> shift]).astype(np.uint8))
        size = min(len(t) for t in tables)
    except (KeyError, ValueError, TypeError, AttributeError, IndexError):
        return None
    return np.stack([t[:size] for t in tables], axis=1) if size else None


def see(frame: Frame, layout: PixelLayout, palette: Image8 | None = None) -> Image8:
    """Return the plain view of a frame: colours as they are, grey values stretched between their outer percentiles."""
    if layout.photometric == "PALETTE COLOR" and palette is not None:
        return np.asarray(palette[np.clip(frame, 0, len(palette) - 1).astype(np.intp)], np.uint8)
    if layout.samples == 3:
        return _colours(frame, layout)
    return stretch(frame)


def stretch(frame: Frame, tail: float = 0.05) -> Image8:
    """Return grey values as 0..255 between the given outer percentiles; 8-bit images with a full range stay as they are."""
    if frame.dtype == np.uint8 and int(frame.max(initial=0)) - int(frame.min(initial=0)) > 160:
        return np.asarray(frame, np.uint8)
    values = frame.astype(np.float32)
    if not np.isfinite(values).all():
        values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    sample = values.ravel()[:: max(values.size // 65536, 1)]
    low, high = (float(v) for v in np.percentile(sample, (tail, 100 - tail)))
    if high <= low:
        low, high = float(values.min()), float(values.max())
    if high <= low:
        return np.zeros(frame.shape, np.uint8)
    return np.asarray(np.clip((values - low) / (high - low), 0, 1) * 255, np.uint8)


def lift(frame: Frame, plain: Image8) -> Image8:
    """Return the view for the detector as (rows, columns, 3): the plain grey view, and twice with local contrast made even.

    Faint text on any ground stands out in the lifted planes, because each pixel is measured by the spread of its own neighbourhood;
    text in a colour as bright as its ground stands out in the third, made from the strongest colour.
    """
    import cv2

    if plain.ndim == 3:
        grey = cv2.cvtColor(plain, cv2.COLOR_RGB2GRAY)
        return np.dstack([grey, _evened(grey.astype(np.float32)), _evened(plain.max(axis=2).astype(np.float32))])
    values = frame.astype(np.float32) if frame.ndim == 2 else plain.astype(np.float32)
    if not np.isfinite(values).all():
        values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = (float(v) for v in np.percentile(values.ravel()[:: max(values.size // 65536, 1)], (0.05, 99.95)))
    if high <= low:
        low, high = float(values.min()), max(float(values.max()), float(values.min()) + 1)
    evened = _evened(np.clip((values - low) * (255 / (high - low)), -50, 305))
    return np.dstack([plain, evened, evened])


_SPREAD, _FLOOR = 5.0, 0.3  # pixels; grey levels below which a neighbourhood counts as flat


def _evened(grey: np.ndarray[Any, np.dtype[np.float32]]) -> Image8:
    import cv2

    mean = cv2.GaussianBlur(grey, (0, 0), _SPREAD)
    deviation = np.sqrt(np.maximum(cv2.GaussianBlur(grey * grey, (0, 0), _SPREAD) - mean * mean, 0))
    return np.asarray(np.clip(127 + (grey - mean) / (deviation + _FLOOR) * 50, 0, 255), np.uint8)


def _colours(frame: Frame, layout: PixelLayout) -> Image8:
    eight = frame
    if layout.bits_stored > 8:
        eight = frame >> (layout.bits_stored - 8)
    eight = np.ascontiguousarray(eight, dtype=np.uint8)
    if not layout.photometric.startswith("YBR_F") and not layout.photometric.startswith("YBR_P"):
        return eight
    import cv2

    rgb: Image8 = cv2.cvtColor(np.ascontiguousarray(eight[..., [0, 2, 1]]), cv2.COLOR_YCrCb2RGB)
    return rgb
