"""Pixel data as stored: cut to its frames, unused bits cleared, fragments and offset tables written anew.

Whether text is drawn in the pixels is not judged here (tasks/pixels).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct, pack

from tasks.deidentify.codestreams import Unclean, clean_deflated, clean_jpeg, clean_jpeg_2000, clean_rle
from tasks.deidentify.rebuild import Cleaned, swapped

_ITEM = Struct("<HHL")
_JPEG = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 70))
_JPEG_LS = frozenset(("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"))
_JPEG_2000 = frozenset(f"1.2.840.10008.1.2.4.{n}" for n in (90, 91, 92, 93, 201, 202, 203))
RLE = "1.2.840.10008.1.2.5"
DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"


@dataclass(frozen=True, slots=True)
class PixelDescription:
    """What the released header says of its pixels (PS3.3 C.7.6.3)."""

    rows: int
    columns: int
    samples: int
    frames: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    photometric: str
    padding: int | None  # Pixel Padding Value, as stored

    @property
    def native_bytes(self) -> int:
        """Return the length of uncompressed pixel data."""
        values = self.rows * self.columns * self.samples * self.frames
        if self.photometric == "YBR_FULL_422" and self.samples == 3:
            values = values * 2 // 3
        return (values * self.bits_allocated + 7) // 8


def describe_pixels(cleaned: Cleaned) -> PixelDescription:
    """Read the description of the pixels out of a rebuilt dataset."""

    def number(tag: int, otherwise: int) -> int:
        kept = cleaned.get(tag)
        return int.from_bytes(kept[1][:2], "little") if kept and len(kept[1]) >= 2 else otherwise

    frames = cleaned.get(0x00280008, ("", b"", False))[1].strip(b" \x00")
    allocated = number(0x00280100, 16)
    stored = number(0x00280101, allocated)
    return PixelDescription(
        rows=number(0x00280010, 0),
        columns=number(0x00280011, 0),
        samples=number(0x00280002, 1),
        frames=max(int(frames), 1) if frames.isdigit() else 1,
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=number(0x00280102, stored - 1),
        signed=number(0x00280103, 0) == 1,
        photometric=cleaned.get(0x00280004, ("", b"", False))[1].decode("latin-1").strip(),
        padding=number(0x00280120, 0) if 0x00280120 in cleaned else None,
    )


def clean_native(value: bytes, pixels: PixelDescription, *, little: bool) -> bytes:
    """Return uncompressed pixel data in little endian, ending with its last frame, with nothing in its unused bits."""
    wanted = pixels.native_bytes
    if 0 < wanted < len(value):
        value = value[:wanted]
    if not little and pixels.bits_allocated > 8:
        value = swapped(value, pixels.bits_allocated // 8)
    if pixels.bits_allocated in (8, 16, 32) and 0 < pixels.bits_stored < pixels.bits_allocated:
        value = _without_unused_bits(value, pixels)
    return value + b"\x00" * (len(value) % 2)


def _without_unused_bits(value: bytes, pixels: PixelDescription) -> bytes:
    """Clear what is outside the stored bits, or extend the sign into it; values that are so already stay as they are."""
    import numpy as np

    kind = f"<{'i' if pixels.signed else 'u'}{pixels.bits_allocated // 8}"
    array = np.frombuffer(value[: len(value) // np.dtype(kind).itemsize * np.dtype(kind).itemsize], kind)
    shift_down = pixels.high_bit + 1 - pixels.bits_stored
    if shift_down < 0 or pixels.high_bit >= pixels.bits_allocated or not array.size:
        return value
    low = -(1 << (pixels.bits_stored - 1)) if pixels.signed else 0
    high = (1 << (pixels.bits_stored - 1)) - 1 if pixels.signed else (1 << pixels.bits_stored) - 1
    if shift_down == 0 and int(array.max()) <= high and int(array.min()) >= low:
        return value
    up = pixels.bits_allocated - 1 - pixels.high_bit
    clean = (array << up >> (up + shift_down)) << shift_down
    if pixels.padding is not None:
        stored = np.array([pixels.padding], "<u2").astype(kind.replace("i", "u")).view(kind)[0] if pixels.bits_allocated == 16 else None
        if stored is not None:
            clean = np.where(array == stored, array, clean)
    return clean.astype(kind).tobytes()


def colours_used(value: bytes, pixels: PixelDescription) -> list[int] | None:
    """Return the palette indices that uncompressed pixels use, None for pixels that are no plain indices."""
    if pixels.bits_allocated not in (8, 16) or pixels.samples != 1:
        return None
    import numpy as np

    kind = f"<{'i' if pixels.signed else 'u'}{pixels.bits_allocated // 8}"
    return [int(v) for v in np.unique(np.frombuffer(value[: pixels.native_bytes], kind))]


def clean_fragments(value: bytes, bounds: Sequence[tuple[int, int]], pixels: PixelDescription, syntax: str) -> tuple[bytes, list[int]]:
    """Return encapsulated pixel data with clean frames, one fragment each, without the end of the sequence; and the frames' lengths.

    Raises Unclean when a frame cannot be read to its end, or when the frames cannot be told apart.
    """
    frames = [clean_frame(frame, pixels, syntax) for frame in _frames(value, bounds, pixels.frames)]
    padded = [frame + b"\x00" * (len(frame) % 2) for frame in frames]
    offsets = b""
    if len(padded) > 1 and sum(len(frame) + 8 for frame in padded) < 1 << 32:
        position, places = 0, []
        for frame in padded:
            places.append(position)
            position += len(frame) + 8
        offsets = pack(f"<{len(places)}L", *places)
    out = [_ITEM.pack(0xFFFE, 0xE000, len(offsets)), offsets]
    for frame in padded:
        out += (_ITEM.pack(0xFFFE, 0xE000, len(frame)), frame)
    return b"".join(out), [len(frame) for frame in frames]


def clean_frame(frame: bytes, pixels: PixelDescription, syntax: str) -> bytes:
    """Return one compressed frame without anything but pixels."""
    if syntax in _JPEG or syntax in _JPEG_LS:
        return clean_jpeg(frame, jpeg_ls=syntax in _JPEG_LS)
    if syntax in _JPEG_2000:
        return clean_jpeg_2000(frame)
    if syntax == RLE:
        plane = pixels.rows * pixels.columns
        return clean_rle(frame, (plane + 7) // 8 if pixels.bits_allocated == 1 else plane)
    if syntax == DEFLATED_FRAMES:
        return clean_deflated(frame)
    raise Unclean


def _frames(value: bytes, bounds: Sequence[tuple[int, int]], count: int) -> list[bytes]:
    """Return the frames: fragment by fragment, by the offset table, or by their first bytes."""
    table, pieces = value[slice(*bounds[0])] if bounds else b"", list(bounds[1:])
    if len(pieces) < count:
        raise Unclean
    if count == 1:
        return [b"".join(value[a:b] for a, b in pieces)]
    if len(pieces) == count:
        return [value[a:b] for a, b in pieces]
    first = pieces[0][0] - 8
    if len(table) >= 4 * count:
        starts = [first + int.from_bytes(table[4 * i : 4 * i + 4], "little") for i in range(count)]
    else:
        magic = value[pieces[0][0] : pieces[0][0] + 3]
        starts = [a - 8 for a, _ in pieces if value[a : a + 3] == magic][: count + 1]
    frames: list[list[bytes]] = []
    for a, b in pieces:
        if a - 8 in starts:
            frames.append([])
        if not frames:
            raise Unclean
        frames[-1].append(value[a:b])
    if len(frames) < count:
        raise Unclean
    return [b"".join(parts) for parts in frames[:count]]
