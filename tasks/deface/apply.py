"""Write a region's new values into the stored values of an object; every other byte of its pixels stays what it was.

Rescale, padding value, bits and photometric interpretation stay. An object that came compressed leaves as native little
endian, because re-encoding could be lossy. Where to overwrite, and with what, belongs to `replace`.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace as with_fields
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.deface.geometry import Frame
from tasks.deface.replace import RegionSampler
from tasks.model import Instance

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_EXPLICIT, _BIG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
_NATIVE = frozenset({"1.2.840.10008.1.2", _EXPLICIT, "1.2.840.10008.1.2.1.99", _BIG})
NEVER_HU = -1500.0
"""CT values below this are padding outside the reconstruction circle, not air; they hold nothing and stay."""


class CannotWriteError(Exception):
    """The object's pixels have a form that is not overwritten (colour, bit-packed, odd bit depth): the series is held."""


def overwrite(instance: Instance, frames: Sequence[tuple[Frame, int]], sampler: RegionSampler, is_ct: bool) -> Instance:
    """Return the instance with the region overwritten in its frames, or the very same instance when none is touched."""
    found = [(frame, what) for frame, place in frames if (what := sampler.lay_over(frame, place)) is not None]
    if not found:
        return instance
    dataset = instance.dataset
    keyword = "FloatPixelData" if "FloatPixelData" in dataset else "PixelData"
    if int(dataset.get("SamplesPerPixel", 1) or 1) != 1:
        raise CannotWriteError
    stored, native = _stored(instance, keyword)
    least, greatest = _limits(dataset, keyword)
    changed = False
    for frame, what in found:
        window = stored[frame.number, what.rows, what.columns]
        new = (what.values - frame.intercept) / frame.slope
        if keyword == "PixelData":
            new = np.clip(np.rint(new), least, greatest)
        mask = what.mask & ~_padding(dataset, window, frame, is_ct)
        changed = changed or bool(mask.any())
        window[mask] = new[mask].astype(stored.dtype)
    if not changed:
        return instance
    return _with_pixels(instance, keyword, stored, native)


def _stored(instance: Instance, keyword: str) -> tuple[np.ndarray[Any, np.dtype[Any]], bool]:
    """Return a writable copy of the stored values (frames, rows, columns) and whether they lie there natively."""
    dataset = instance.dataset
    shape = (int(dataset.get("NumberOfFrames", 1) or 1), int(dataset.Rows), int(dataset.Columns))
    if keyword == "FloatPixelData":
        return np.frombuffer(dataset.FloatPixelData, "<f4", count=int(np.prod(shape))).reshape(shape).copy(), True
    bits = int(dataset.BitsAllocated)
    if bits not in (8, 16, 32):
        raise CannotWriteError
    if instance.transfer_syntax_uid in _NATIVE:
        order = ">" if instance.transfer_syntax_uid == _BIG else "<"
        kind = f"{order}{'i' if dataset.get('PixelRepresentation', 0) else 'u'}{bits // 8}"
        if int(dataset.BitsStored) != bits and int(dataset.get("HighBit", bits - 1)) + 1 != int(dataset.BitsStored):
            raise CannotWriteError
        return np.frombuffer(dataset.PixelData, kind, count=int(np.prod(shape))).reshape(shape).copy(), True
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import UID

    decoder = get_decoder(UID(instance.transfer_syntax_uid))
    decoded = np.stack([frame for frame, _ in decoder.iter_array(dataset, raw=True)])
    if decoded.shape != shape:
        raise CannotWriteError
    return decoded.astype(decoded.dtype.newbyteorder("<")), False


def _limits(dataset: Dataset, keyword: str) -> tuple[float, float]:
    if keyword != "PixelData":
        return -np.inf, np.inf
    bits = int(dataset.BitsStored)
    return (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1) if dataset.get("PixelRepresentation", 0) else (0.0, 2.0**bits - 1)


def _padding(dataset: Dataset, window: Any, frame: Frame, is_ct: bool) -> Any:
    """Voxels that hold no measurement: the declared padding range, and for CT what no tissue or air can have."""
    padding = np.zeros(window.shape, dtype=bool)
    if not is_ct:
        return padding  # PRIVACY: an MR padding value may be an ordinary dark value, drawn in the shape of the skin
    value = dataset.get("PixelPaddingValue")
    if isinstance(value, int) and value * frame.slope + frame.intercept < NEVER_HU:
        padding |= window == value
    return padding | (window * frame.slope + frame.intercept < NEVER_HU)


def _with_pixels(instance: Instance, keyword: str, stored: Any, native: bool) -> Instance:
    dataset = copy.copy(instance.dataset)
    dataset._dict = dict(instance.dataset._dict)  # the given instance keeps its own elements
    element = copy.copy(instance.dataset[keyword])
    data = stored.tobytes()
    old = element.value if native else b""
    tail = bytes(old[len(data) :]) if native and len(old) > len(data) else b"\x00" * (len(data) % 2)
    element.value = data + tail
    if native:
        dataset[keyword] = element
        return with_fields(instance, dataset=dataset)
    from pydicom.dataelem import DataElement
    from pydicom.uid import UID

    dataset[keyword] = DataElement(element.tag, "OW" if int(dataset.BitsAllocated) > 8 else "OB", element.value)
    for stale in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if stale in dataset:
            del dataset[stale]
    meta = getattr(instance.dataset, "file_meta", None)
    if meta is not None:
        dataset.file_meta = copy.deepcopy(meta)
        dataset.file_meta.TransferSyntaxUID = UID(_EXPLICIT)
    return with_fields(instance, dataset=dataset, transfer_syntax_uid=_EXPLICIT)
