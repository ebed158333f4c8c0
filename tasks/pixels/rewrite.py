"""Write blanked values back into an object: in the transfer syntax that it came in, or natively under a truthful one.

Finding text and choosing regions do not belong here.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tasks.model import Instance, Reason
from tasks.pixels.blank import Mask, blank_frame, blank_native, fill_value
from tasks.pixels.decode import Frame, read_frames
from tasks.pixels.encode import EXPLICIT_LITTLE, JPEG_2000, JPEG_2000_LOSSLESS, NoEncoderError, encode_frame
from tasks.pixels.jpeg import UnsupportedStreamError, blank_jpeg
from tasks.pixels.layout import FLOAT_PIXEL_DATA, PIXEL_DATA, PixelLayout, PixelsRefusedError
from tasks.pixels.views import Image8, read_palette

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

JPEG_BASELINE, JPEG_EXTENDED = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"


def rewrite_pixels(instance: Instance, layout: PixelLayout, masks: Sequence[Mask | None]) -> Instance:
    """Return the instance with the masked values of each frame replaced; every other decoded value stays equal."""
    palette = read_palette(instance.dataset) if layout.photometric == "PALETTE COLOR" else None
    if layout.native:
        return _native(instance, layout, masks, palette)
    if layout.syntax in (JPEG_BASELINE, JPEG_EXTENDED):
        try:
            return _in_code_stream(instance, layout, masks)
        except UnsupportedStreamError:
            pass
    try:
        return _encoded(instance, layout, masks, palette)
    except NoEncoderError:
        return _made_native(instance, layout, masks, palette)


def _native(instance: Instance, layout: PixelLayout, masks: Sequence[Mask | None], palette: Image8 | None) -> Instance:
    wanted = [index for index, mask in enumerate(masks) if mask is not None]
    values: list[tuple[Any, ...]] = [(0,)] * layout.frames
    for index, frame in zip(wanted, read_frames(instance.dataset, layout, wanted), strict=True):
        values[index] = fill_value(frame, _some(masks[index]), layout, palette)
    return with_pixels(instance, blank_native(instance.dataset[layout.keyword_tag].value, layout, masks, values))


def _in_code_stream(instance: Instance, layout: PixelLayout, masks: Sequence[Mask | None]) -> Instance:
    """Blank inside the JPEG code streams; frames without a mask keep every byte."""
    streams = _streams(instance.dataset, layout)
    if layout.samples == 1:
        levels: tuple[int, ...] = (255 if layout.photometric == "MONOCHROME1" else 0,)
    else:
        levels = (0, 0, 0) if layout.photometric == "RGB" and not _is_transformed(streams[0]) else (0, 128, 128)
    changed = [stream if mask is None else blank_jpeg(stream, mask, levels) for stream, mask in zip(streams, masks, strict=True)]
    return with_pixels(instance, _encapsulated(changed))


def _is_transformed(stream: bytes) -> bool:
    """Tell whether an "RGB" object holds YCbCr streams all the same: JFIF, or Adobe's transform flag."""
    adobe = stream.find(b"\xff\xee")
    if 0 <= adobe < 2000 and stream[adobe + 4 : adobe + 9] == b"Adobe":
        return stream[adobe + 15] == 1
    return stream[2:4] == b"\xff\xe0" and stream[6:10] == b"JFIF"


def _encoded(instance: Instance, layout: PixelLayout, masks: Sequence[Mask | None], palette: Image8 | None) -> Instance:
    """Decode, blank and encode the masked frames without loss; frames without a mask keep every byte."""
    streams = _streams(instance.dataset, layout)
    for index, frame in _masked_frames(instance, layout, masks, palette):
        streams[index] = encode_frame(frame, layout)
    photometric = {}
    if layout.syntax in (JPEG_2000_LOSSLESS, JPEG_2000) and layout.samples == 3 and layout.photometric in ("RGB", "YBR_ICT"):
        if any(mask is None for mask in masks):  # one colour transform for all frames
            streams = [
                encode_frame(_blanked(f, m, layout, palette), layout)
                for f, m in zip(read_frames(instance.dataset, layout), masks, strict=True)
            ]
        photometric = {"PhotometricInterpretation": "YBR_RCT"}
    return with_pixels(instance, _encapsulated(streams), **photometric)


def _made_native(instance: Instance, layout: PixelLayout, masks: Sequence[Mask | None], palette: Image8 | None) -> Instance:
    """Decode every frame and write it natively: Explicit VR Little Endian, photometric as decoded."""
    kind = f"<{'i' if layout.signed else 'u'}{layout.bits_allocated // 8}"
    frames = [
        _blanked(f, m, layout, palette).astype(kind).tobytes() for f, m in zip(read_frames(instance.dataset, layout), masks, strict=True)
    ]
    data = b"".join(frames)
    attributes: dict[str, Any] = {}
    if layout.samples == 3:
        photometric = {"YBR_FULL_422": "YBR_FULL", "YBR_RCT": "RGB", "YBR_ICT": "RGB", "YBR_PARTIAL_420": "YBR_FULL"}.get(
            layout.photometric
        )
        attributes = {"PlanarConfiguration": 0} | ({"PhotometricInterpretation": photometric} if photometric else {})
    return with_pixels(instance, data + b"\0" * (len(data) % 2), EXPLICIT_LITTLE, **attributes)


def _masked_frames(
    instance: Instance, layout: PixelLayout, masks: Sequence[Mask | None], palette: Image8 | None
) -> list[tuple[int, Frame]]:
    wanted = [index for index, mask in enumerate(masks) if mask is not None]
    frames = read_frames(instance.dataset, layout, wanted)
    return [(index, _blanked(frame, masks[index], layout, palette)) for index, frame in zip(wanted, frames, strict=True)]


def _blanked(frame: Frame, mask: Mask | None, layout: PixelLayout, palette: Image8 | None) -> Frame:
    if mask is None:
        return frame
    decoded = replace(layout, photometric="RGB") if layout.photometric in ("YBR_RCT", "YBR_ICT") else layout
    return blank_frame(frame, mask, fill_value(frame, mask, decoded, palette))


def _some(mask: Mask | None) -> Mask:
    assert mask is not None
    return mask


def _streams(dataset: Dataset, layout: PixelLayout) -> list[bytes]:
    from pydicom.encaps import generate_frames

    offsets = None
    if "ExtendedOffsetTable" in dataset and "ExtendedOffsetTableLengths" in dataset:
        offsets = (dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths)
    streams = list(generate_frames(dataset.PixelData, number_of_frames=layout.frames, extended_offsets=offsets))
    if len(streams) != layout.frames:
        raise PixelsRefusedError(Reason.PIXELS_UNREADABLE)
    return streams


def _encapsulated(streams: Sequence[bytes]) -> bytes:
    from pydicom.encaps import encapsulate

    # a Basic Offset Table counts in 32 bits; beyond that readers walk the fragments (one per frame)
    return encapsulate(list(streams), has_bot=sum(len(s) + 8 for s in streams) < 2**32 - 1)


def with_pixels(instance: Instance, data: bytes | bytearray, syntax: str | None = None, **attributes: Any) -> Instance:
    """Return the instance with new Pixel Data (and other attributes); the given one stays as it is."""
    from pydicom.uid import UID

    dataset: Dataset = copy.copy(instance.dataset)
    dataset._dict = dict(instance.dataset._dict)
    tag = next(t for t in (PIXEL_DATA, FLOAT_PIXEL_DATA, 0x7FE00009) if t in dataset)
    element = copy.copy(dataset[tag])
    element.value = data
    dataset[tag] = element
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if keyword in dataset:
            del dataset[keyword]  # counted the old streams
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    if syntax is None:
        return replace(instance, dataset=dataset)
    dataset["PixelData"].VR = "OB" if dataset.BitsAllocated <= 8 else "OW"
    dataset["PixelData"].is_undefined_length = False
    meta = getattr(instance.dataset, "file_meta", None)
    if meta is not None:
        dataset.file_meta = copy.deepcopy(meta)
        dataset.file_meta.TransferSyntaxUID = UID(syntax)
    return replace(instance, dataset=dataset, transfer_syntax_uid=syntax)
