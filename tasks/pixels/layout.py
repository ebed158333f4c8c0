"""What an object's headers claim about its pixels, checked against its bytes before anything is decoded.

Decoding does not belong here: nothing in this module allocates in proportion to a claim.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.model import Reason

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

PIXEL_DATA, FLOAT_PIXEL_DATA, DOUBLE_PIXEL_DATA = 0x7FE00010, 0x7FE00008, 0x7FE00009

NATIVE_SYNTAXES = frozenset(
    {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.98", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"}
)
BIG_ENDIAN = "1.2.840.10008.1.2.2"

# A frame that claims more than this many times its compressed bytes, and is large, is a bomb: blank JPEG 2000 frames of ordinary
# size reach such ratios honestly (an empty code stream is about 100 bytes), frames over 64 MB do not.
_MAX_RATIO, _LARGE_FRAME = 2000, 64_000_000

_SAMPLES = {
    "MONOCHROME1": 1, "MONOCHROME2": 1, "PALETTE COLOR": 1, "RGB": 3, "YBR_FULL": 3, "YBR_FULL_422": 3,
    "YBR_PARTIAL_420": 3, "YBR_PARTIAL_422": 3, "YBR_ICT": 3, "YBR_RCT": 3,
}  # fmt: skip


class PixelsRefusedError(Exception):
    """The pixels of one object cannot be worked on; `reason` is all that leaves (never the cause's own message)."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """The Image Pixel module (PS3.3 C.7.6.3) as plain numbers."""

    rows: int
    columns: int
    frames: int
    samples: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    planar: bool  # colour planes one after the other (native frames only)
    photometric: str
    syntax: str
    keyword_tag: int = PIXEL_DATA

    @property
    def native(self) -> bool:
        """Whether frames lie in Pixel Data as plain values."""
        return self.syntax in NATIVE_SYNTAXES

    @property
    def floating(self) -> bool:
        """Whether the values are floating point (Parametric Map)."""
        return self.keyword_tag != PIXEL_DATA

    @property
    def subsampled(self) -> bool:
        """Whether native chroma is shared by two neighbours (PS3.3 C.7.6.3.1.2, YBR_FULL_422)."""
        return self.native and self.photometric in ("YBR_FULL_422", "YBR_PARTIAL_422")

    @property
    def frame_bytes(self) -> int:
        """Decoded size of one frame in bytes (bit-packed frames count one byte per pixel once decoded)."""
        return self.rows * self.columns * self.samples * max(self.bits_allocated // 8, 1)

    @property
    def native_length(self) -> int:
        """Length of native Pixel Data in bytes without its padding byte."""
        pixels = self.rows * self.columns * self.frames
        if self.bits_allocated == 1:
            return (pixels * self.samples + 7) // 8
        if self.subsampled:
            return pixels * 2 * (self.bits_allocated // 8)
        return pixels * self.samples * (self.bits_allocated // 8)

    @property
    def least(self) -> int:
        """The smallest value that the stored bits can hold."""
        return -(1 << (self.bits_stored - 1)) if self.signed else 0

    @property
    def greatest(self) -> int:
        """The greatest value that the stored bits can hold."""
        return (1 << (self.bits_stored - (1 if self.signed else 0))) - 1


def has_pixels(dataset: Dataset) -> bool:
    """Tell whether the object carries pixels of its own (an icon is not one)."""
    return any(tag in dataset for tag in (PIXEL_DATA, FLOAT_PIXEL_DATA, DOUBLE_PIXEL_DATA))


def read_layout(dataset: Dataset, syntax: str, max_decoded_bytes: int) -> PixelLayout:
    """Return the checked layout; PixelsRefusedError when the claims are impossible, too large or not matched by the bytes."""
    tags = [tag for tag in (PIXEL_DATA, FLOAT_PIXEL_DATA, DOUBLE_PIXEL_DATA) if tag in dataset]
    if len(tags) != 1:
        raise PixelsRefusedError(Reason.PIXELS_UNREADABLE)
    try:
        layout = _claims(dataset, syntax, tags[0])
        held = len(dataset[tags[0]].value or b"")
    except (ValueError, TypeError, AttributeError, KeyError, NotImplementedError):
        raise PixelsRefusedError(Reason.PIXELS_UNREADABLE) from None
    _check(layout, held, max_decoded_bytes)
    return layout


def _claims(dataset: Dataset, syntax: str, tag: int) -> PixelLayout:
    floating = tag != PIXEL_DATA
    bits = 32 if tag == FLOAT_PIXEL_DATA else 64 if tag == DOUBLE_PIXEL_DATA else _number(dataset, "BitsAllocated")
    samples = _number(dataset, "SamplesPerPixel", 1)
    return PixelLayout(
        rows=_number(dataset, "Rows"),
        columns=_number(dataset, "Columns"),
        frames=_number(dataset, "NumberOfFrames", 1),
        samples=samples,
        bits_allocated=bits,
        bits_stored=bits if floating else _number(dataset, "BitsStored", bits),
        high_bit=bits - 1 if floating else _number(dataset, "HighBit", _number(dataset, "BitsStored", bits) - 1),
        signed=bool(floating or _number(dataset, "PixelRepresentation", 0)),
        planar=samples > 1 and bool(_number(dataset, "PlanarConfiguration", 0)),
        photometric=str(dataset.get("PhotometricInterpretation", "MONOCHROME2" if floating else "")).strip().upper(),
        syntax=syntax,
        keyword_tag=tag,
    )


def _number(dataset: Dataset, keyword: str, default: int | None = None) -> int:
    value: Any = dataset.get(keyword, None)
    if value is None or value == "":
        if default is None:
            raise ValueError(keyword)
        return default
    return int(value)


def _check(layout: PixelLayout, held: int, max_decoded_bytes: int) -> None:
    unreadable = PixelsRefusedError(Reason.PIXELS_UNREADABLE)
    if min(layout.rows, layout.columns, layout.frames) < 1 or held < 1:
        raise unreadable
    if layout.bits_allocated not in (1, 8, 16, 32, 64) or not 1 <= layout.bits_stored <= layout.bits_allocated:
        raise unreadable
    if not layout.bits_stored - 1 <= layout.high_bit < layout.bits_allocated:
        raise unreadable
    if _SAMPLES.get(layout.photometric) != layout.samples or (layout.bits_allocated == 1 and layout.samples != 1):
        raise unreadable
    # PRIVACY: a claim is refused before a decoder sees it (tests/unit/test_pixels_layout.py), so that no object can take a worker
    # down and have its study tried again and again, unexamined.
    if layout.frame_bytes * layout.frames > max_decoded_bytes:
        raise PixelsRefusedError(Reason.DECOMPRESSION_BOMB)
    if layout.native:
        if held < layout.native_length:
            raise unreadable
    elif layout.frame_bytes > _LARGE_FRAME and layout.frame_bytes > _MAX_RATIO * held:
        raise PixelsRefusedError(Reason.DECOMPRESSION_BOMB)


_LOSSY_SYNTAXES = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 81, 91, 203))


def is_lossy(syntax: str, dataset: Dataset) -> bool:
    """Tell whether the values have been through lossy compression, now or before: exact ink does not survive it."""
    return syntax in _LOSSY_SYNTAXES or str(dataset.get("LossyImageCompression", "")).strip() == "01"
